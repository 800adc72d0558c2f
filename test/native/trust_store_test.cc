// The authorities that a client trusts.
#include "trust_store.h"

#include <doctest/doctest.h>
#include <openssl/err.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "pair.h"

namespace tls_client_cert::test {

namespace {

using Store = std::shared_ptr<const TrustStore>;

Bytes RootA() { return CertificatePem(ThePki().root_a.certificate.get()); }
Bytes RootB() { return CertificatePem(ThePki().root_b.certificate.get()); }

Store Make(const std::vector<Bytes>& authorities,
           const std::vector<Bytes>& crls = {}, const Store& base = nullptr) {
  auto made = TrustStore::Create({authorities.begin(), authorities.end()},
                                 {crls.begin(), crls.end()}, base);
  CHECK(ERR_peek_error() == 0);
  REQUIRE(made.ok());
  return made.value();
}

std::string FailureOf(const std::vector<Bytes>& authorities,
                      const std::vector<Bytes>& crls) {
  auto made = TrustStore::Create({authorities.begin(), authorities.end()},
                                 {crls.begin(), crls.end()}, nullptr);
  CHECK(ERR_peek_error() == 0);
  if (made.ok()) return "none";
  return std::string(FailureReasonName(made.failure().reason)) + " " +
         std::to_string(made.failure().index);
}

// What the chain of `server` is to a client that trusts `store`.
std::string Verdict(const Store& store, const Identity& server) {
  ContextOptions options = TrustingOptions();
  options.trust = store;
  ServerOptions peer;
  peer.identity = &server;
  Pair pair(MakeContext(options), peer);
  REQUIRE(pair.Run() == Step::kWantVerify);
  const int error = pair.client().server_chain_error();
  return error == X509_V_OK ? "OK" : VerifyErrorName(error);
}

}  // namespace

TEST_CASE("trust store: several authorities, several in one text, or DER") {
  const Pki& pki = ThePki();
  Bytes both = RootA();
  const Bytes b = RootB();
  both.insert(both.end(), b.begin(), b.end());
  for (const Store& store :
       {Make({RootA(), RootB()}), Make({both}),
        Make({CertificateDer(pki.root_a.certificate.get()),
              CertificateDer(pki.root_b.certificate.get())}),
        // The same one twice is no error.
        Make({RootA(), both})}) {
    CHECK(Verdict(store, pki.server) == "OK");
    CHECK(Verdict(store, pki.stranger_server) == "OK");
  }
}

TEST_CASE("trust store: an unreadable input is named by its place") {
  CHECK(FailureOf({RootA(), Text("nonsense")}, {}) == "authority-unreadable 1");
  CHECK(FailureOf({Bytes{}}, {}) == "authority-unreadable 0");
  const Bytes crl = CrlPem(ThePki().MakeCrl(false).get());
  CHECK(FailureOf({RootA()}, {crl, crl, Text("nonsense")}) ==
        "crl-unreadable 2");
  CHECK(FailureOf({RootA()}, {RootA()}) == "crl-unreadable 0");
  CHECK(FailureOf({crl}, {}) == "authority-unreadable 0");
}

TEST_CASE("trust store: revocation lists are checked for the whole chain") {
  const Pki& pki = ThePki();
  const Store lists_it = Make({RootA()}, {CrlPem(pki.MakeCrl(true).get())});
  const Store does_not = Make({RootA()}, {CrlPem(pki.MakeCrl(false).get())});
  CHECK(Verdict(lists_it, pki.revoked_server) == "CERT_REVOKED");
  CHECK(Verdict(does_not, pki.revoked_server) == "OK");
  // Intermediate A's own list is missing.
  CHECK(Verdict(does_not, pki.server) == "UNABLE_TO_GET_CRL");
  const Bytes root_crl = CrlPem(pki.MakeCrl(false).get());
  const Bytes intermediate_crl = CrlPem(pki.MakeIntermediateCrl().get());
  CHECK(Verdict(Make({RootA()}, {intermediate_crl}), pki.server) ==
        "UNABLE_TO_GET_CRL");
  CHECK(Verdict(Make({RootA()}, {root_crl, intermediate_crl}), pki.server) ==
        "OK");
  CHECK(Verdict(Make({RootA()}), pki.revoked_server) == "OK");
}

TEST_CASE("trust store: a base is trusted as well, and stays as it was") {
  const Pki& pki = ThePki();
  const Store base = Make({RootA()});
  const Store more = Make({RootB()}, {}, base);
  CHECK(Verdict(more, pki.server) == "OK");
  CHECK(Verdict(more, pki.stranger_server) == "OK");
  CHECK(Verdict(base, pki.stranger_server) ==
        "UNABLE_TO_VERIFY_LEAF_SIGNATURE");
  const Store listed = Make({}, {CrlPem(pki.MakeCrl(true).get())}, base);
  CHECK(Verdict(listed, pki.revoked_server) == "CERT_REVOKED");
  CHECK(Verdict(base, pki.revoked_server) == "OK");
}

TEST_CASE("trust store: the same bytes are one store while anyone holds it") {
  const Bytes a = RootA();
  const Bytes b = RootB();
  Store first = TrustStore::Shared({a}).value();
  CHECK(TrustStore::Shared({a}).value() == first);
  CHECK(TrustStore::Shared({b}).value() != first);
  CHECK(TrustStore::Shared({a, b}).value() !=
        TrustStore::Shared({b, a}).value());
  const std::weak_ptr<const TrustStore> watch = first;
  first.reset();
  CHECK(watch.expired());
  CHECK(TrustStore::Shared({a}).ok());

  auto bad = TrustStore::Shared({Text("nonsense")});
  REQUIRE_FALSE(bad.ok());
  CHECK(bad.failure().reason == FailureReason::kAuthorityUnreadable);
  CHECK_FALSE(TrustStore::Shared({Text("nonsense")}).ok());
}

TEST_CASE("trust store: lists of revocations and a base count as well") {
  const Bytes a = RootA();
  const Bytes crl = CrlPem(ThePki().MakeCrl(true).get());
  const Bytes other_crl = CrlPem(ThePki().MakeCrl(false).get());
  const Store plain = TrustStore::Shared({a}).value();
  const Store listed = TrustStore::Shared({a}, {crl}).value();
  CHECK(listed != plain);
  CHECK(TrustStore::Shared({a}, {crl}).value() == listed);
  CHECK(TrustStore::Shared({a}, {other_crl}).value() != listed);
  Bytes both = a;
  both.insert(both.end(), crl.begin(), crl.end());
  const Store as_authority = TrustStore::Shared({both}).value();
  CHECK(TrustStore::Shared({}, {both}).value() != as_authority);
  CHECK(Verdict(listed, ThePki().revoked_server) == "CERT_REVOKED");
  CHECK(Verdict(plain, ThePki().revoked_server) == "OK");

  const Store based = TrustStore::Shared({}, {crl}, plain).value();
  CHECK(based != listed);
  CHECK(TrustStore::Shared({}, {crl}, plain).value() == based);
  CHECK(TrustStore::Shared({}, {crl}, TrustStore::Shared({RootB()}).value())
            .value() != based);

  const Store system = TrustStore::SystemDefault().value();
  CHECK(TrustStore::Shared({}, {crl}, system).value() !=
        TrustStore::Shared({}, {crl}, system).value());
}

TEST_CASE("trust store: shared among threads") {
  const Bytes a = RootA();
  const Store held = TrustStore::Shared({a}).value();
  std::vector<std::thread> threads;
  std::vector<Store> seen(8);
  for (Store& slot : seen) {
    threads.emplace_back(
        [&slot, &a] { slot = TrustStore::Shared({a}).value(); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const Store& store : seen) CHECK(store == held);
}

TEST_CASE("trust store: a context keeps what it was given") {
  ContextOptions options;
  options.trust = Make({RootA()});
  const Context::Pointer context = MakeContext(options);
  options.trust.reset();
  Pair pair(context, ServerOptions());
  REQUIRE(pair.Run() == Step::kWantVerify);
  CHECK(pair.client().server_chain_error() == X509_V_OK);
}

TEST_CASE("trust store: none at all trusts nobody") {
  CHECK(Verdict(nullptr, ThePki().server) ==
        "UNABLE_TO_GET_ISSUER_CERT_LOCALLY");
}

TEST_CASE("trust store: OpenSSL's own files and folders, alone or as a base") {
  const Pki& pki = ThePki();
  std::string folder =
      std::filesystem::temp_directory_path() / "tls-client-cert-XXXXXX";
  REQUIRE(mkdtemp(folder.data()) != nullptr);
  // As `openssl rehash` would name it.
  char name[16];
  std::snprintf(
      name, sizeof(name), "%08lx.0",
      X509_NAME_hash_ex(X509_get_subject_name(pki.root_a.certificate.get()),
                        nullptr, nullptr, nullptr));
  const Bytes root = RootA();
  std::ofstream(folder + "/" + name)
      .write(BytesView(root).chars(), static_cast<long>(root.size()));
  setenv("SSL_CERT_DIR", folder.c_str(), 1);
  setenv("SSL_CERT_FILE", "/dev/null", 1);

  const Store system = TrustStore::SystemDefault().value();
  const std::string alone = Verdict(system, pki.server);
  // The same before the folder was ever looked into.
  const Store fresh = TrustStore::SystemDefault().value();
  const std::string as_base = Verdict(Make({RootB()}, {}, fresh), pki.server);
  const std::string added =
      Verdict(Make({RootB()}, {}, fresh), pki.stranger_server);

  unsetenv("SSL_CERT_DIR");
  unsetenv("SSL_CERT_FILE");
  std::filesystem::remove_all(folder);
  CHECK(alone == "OK");
  CHECK(as_base == "OK");
  CHECK(added == "OK");
}

TEST_CASE("trust store: its digest tells each kind of input apart") {
  // A text with both in it is read as whichever it is given for.
  Bytes both = RootA();
  for (const X509CrlPointer& crl :
       {ThePki().MakeCrl(false), ThePki().MakeIntermediateCrl()}) {
    const Bytes text = CrlPem(crl.get());
    both.insert(both.end(), text.begin(), text.end());
  }
  const Store as_authority = Make({both});
  const Store as_list = Make({}, {both});
  CHECK(as_authority->digest() != as_list->digest());
  CHECK(Make({both})->digest() == as_authority->digest());
  CHECK(Make({RootA(), RootB()})->digest() !=
        Make({RootB()}, {}, Make({RootA()}))->digest());
  CHECK(Make({RootB()}, {}, Make({RootA()}))->digest() !=
        Make({RootB()})->digest());
}

}  // namespace tls_client_cert::test
