// Memory runs short while inputs are read: contexts, trust, credentials.
#include <openssl/err.h>

#include "../pair.h"
#include "allocator.h"
#include "explore.h"

namespace tls_client_cert::test::faults {

namespace {

const Identity& Of(const char* kind) { return ThePki().clients.at(kind); }

// Whatever it made goes while memory is short as well.
template <typename Make, typename Check>
Outcome Made(Make make, Check check) {
  auto made = Armed(make);
  if (!made.ok()) return Failed(made.failure());
  const std::string wrong = check(made.value());
  const Arm arm;
  {
    const auto gone = std::move(made.value());
  }
  return wrong.empty() ? Done() : Wrong(wrong);
}

template <typename Make>
Outcome MakeCredential(Make make, const Identity& identity) {
  const std::vector<Bytes> expected = ChainOf(identity);
  return Made(make, [&](const Credential::Pointer& made) -> std::string {
    std::vector<Bytes> chain = {CertificateDer(made->certificate())};
    for (int i = 0; i < sk_X509_num(made->chain()); i++) {
      chain.push_back(CertificateDer(sk_X509_value(made->chain(), i)));
    }
    if (chain != expected) return "the chain is not whole";
    return made->fingerprint().size() == 32 ? "" : "no fingerprint";
  });
}

}  // namespace

TEST_CASE("faults: a context with all options") {
  ContextOptions options = TrustingOptions();
  options.min_version = TLS1_2_VERSION;
  options.max_version = TLS1_3_VERSION;
  options.cipher_suites = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384";
  options.groups = "X25519:P-256";
  options.signature_schemes = "ECDSA+SHA256:RSA-PSS+SHA256:ed25519";
  options.client_signature_schemes = "ECDSA+SHA256:RSA-PSS+SHA256";
  options.allow_partial_trust_chain = true;
  Explore("context", [&] {
    return Made([&] { return Context::Create(options); },
                [](const Context::Pointer& made) {
                  return made->trust_digest().size() == 32 ? "" : "no digest";
                });
  });
}

TEST_CASE("faults: a trust store, with lists and based on another") {
  const auto base = TrustingOptions().trust;
  const Bytes pem = CertificatePem(ThePki().root_b.certificate.get());
  const Bytes der = CertificateDer(ThePki().intermediate_b.certificate.get());
  const X509CrlPointer crl = ThePki().MakeCrl(true);
  const Bytes list = CrlPem(crl.get());
  const auto check =
      [&](const std::shared_ptr<const TrustStore>& made) -> std::string {
    STACK_OF(X509_OBJECT)* objects = X509_STORE_get0_objects(made->get());
    if (sk_X509_OBJECT_num(objects) != 4) return "not all are in it";
    return made->digest().size() == 32 ? "" : "no digest";
  };
  Explore("trust store", [&] {
    return Made([&] { return TrustStore::Create({pem, der}, {list}, base); },
                check);
  });
  Explore("trust store, shared", [&] {
    return Made([&] { return TrustStore::Shared({pem, der}, {list}, base); },
                check);
  });
}

#ifndef __SANITIZE_ADDRESS__
TEST_CASE("faults: OpenSSL's own trust store") {
  setenv("SSL_CERT_FILE", "/dev/null", 1);
  setenv("SSL_CERT_DIR", "/", 1);
  ExploreApart("trust store, OpenSSL's own", [&] {
    return Made([&] { return TrustStore::SystemDefault(); },
                [](const auto&) { return ""; });
  });
  unsetenv("SSL_CERT_FILE");
  unsetenv("SSL_CERT_DIR");
}
#endif

TEST_CASE("faults: a credential out of PEM and DER") {
  const std::string passphrase = "secret";
  for (const char* kind : {"rsa", "p256", "ed25519"}) {
    const Identity& identity = Of(kind);
    const Bytes leaf = CertificatePem(identity.certificate.get());
    const Bytes leaf_der = CertificateDer(identity.certificate.get());
    const Bytes chain = CertificatePem(identity.chain[0]);
    const Bytes key = KeyPem(identity.key.get());
    CertificateInput pem;
    pem.certificate = leaf;
    pem.chain = {chain};
    // The one that fits comes second.
    const Bytes other = KeyPem(ThePki().client_b.key.get());
    pem.keys = {{other, std::nullopt}, {key, std::nullopt}};
    Explore(std::string("credential, PEM, ") + kind, [&] {
      return MakeCredential([&] { return Credential::Create(pem); }, identity);
    });
    const Bytes locked = KeyPem(identity.key.get(), passphrase);
    pem.keys = {{locked, BytesView(passphrase)}};
    Explore(std::string("credential, encrypted PEM, ") + kind, [&] {
      return MakeCredential([&] { return Credential::Create(pem); }, identity);
    });
    CertificateInput der = pem;
    const Bytes key_der = KeyDer(identity.key.get());
    der.certificate = leaf_der;
    der.keys = {{key_der, std::nullopt}};
    Explore(std::string("credential, DER, ") + kind, [&] {
      return MakeCredential([&] { return Credential::Create(der); }, identity);
    });
    const Bytes locked_der = KeyDer(identity.key.get(), passphrase);
    der.keys = {{locked_der, BytesView(passphrase)}};
    Explore(std::string("credential, encrypted DER, ") + kind, [&] {
      return MakeCredential([&] { return Credential::Create(der); }, identity);
    });
  }
}

TEST_CASE("faults: a credential out of a PFX") {
  const std::string passphrase = "secret";
  const Identity& identity = Of("p256");
  const Bytes pfx = Pfx(identity,
                        {ThePki().root_a.certificate.get(),
                         ThePki().intermediate_a.certificate.get()},
                        passphrase);
  PfxInput input;
  input.bytes = pfx;
  input.passphrase = BytesView(passphrase);
  Explore("credential, PFX", [&] {
    return MakeCredential([&] { return Credential::Create(input); }, identity);
  });
}

TEST_CASE("faults: a credential whose key is elsewhere") {
  for (const char* kind : {"rsa", "p256"}) {
    const Identity& identity = Of(kind);
    const Bytes leaf = CertificateDer(identity.certificate.get());
    const Bytes chain = CertificateDer(identity.chain[0]);
    ExternalKeyInput input;
    input.certificate = leaf;
    input.chain = {chain};
    input.schemes = {0x0403, 0x0804};
    Explore(std::string("credential, external, ") + kind, [&] {
      return MakeCredential([&] { return Credential::Create(input); },
                            identity);
    });
  }
}

}  // namespace tls_client_cert::test::faults
