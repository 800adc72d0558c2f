// A credential out of a PFX (PKCS#12).
#include <doctest/doctest.h>
#include <openssl/err.h>
#include <openssl/pkcs12.h>
#include <openssl/provider.h>

#include <algorithm>

#include "credential.h"
#include "pki.h"

namespace tls_client_cert::test {

namespace {

const Identity& P256() { return ThePki().clients.at("p256"); }

Result<Credential::Pointer> Make(
    const Bytes& pfx,
    const std::optional<std::string>& passphrase = std::nullopt) {
  PfxInput input;
  input.bytes = pfx;
  if (passphrase) input.passphrase = BytesView(*passphrase);
  auto made = Credential::Create(input);
  CHECK(ERR_peek_error() == 0);
  return made;
}

std::string FailureOf(Result<Credential::Pointer> made) {
  if (made.ok()) return "none";
  return FailureReasonName(made.failure().reason);
}

std::vector<Bytes> Links(const Credential& credential) {
  std::vector<Bytes> links;
  for (int i = 0; i < sk_X509_num(credential.chain()); i++) {
    links.push_back(CertificateDer(sk_X509_value(credential.chain(), i)));
  }
  return links;
}

std::vector<Bytes> Ders(const std::vector<const Identity*>& identities) {
  std::vector<Bytes> ders;
  for (const Identity* identity : identities) {
    ders.push_back(CertificateDer(identity->certificate.get()));
  }
  return ders;
}

Bytes Encode(PKCS12* pfx) {
  REQUIRE(pfx != nullptr);
  const Pkcs12Pointer owner(pfx);
  uint8_t* der = nullptr;
  const int size = i2d_PKCS12(pfx, &der);
  REQUIRE(size > 0);
  Bytes bytes(der, der + size);
  OPENSSL_free(der);
  return bytes;
}

// Needs RC2-40, which OpenSSL 3 keeps in its legacy provider: made in a
// library context of its own, so that the tests go on without.
Bytes LegacyPfx() {
  OSSL_LIB_CTX* context = OSSL_LIB_CTX_new();
  OSSL_PROVIDER* base = OSSL_PROVIDER_load(context, "default");
  OSSL_PROVIDER* legacy = OSSL_PROVIDER_load(context, "legacy");
  Bytes pfx;
  if (legacy != nullptr) {
    pfx = Encode(PKCS12_create_ex(
        "secret", nullptr, P256().key.get(), P256().certificate.get(), nullptr,
        NID_pbe_WithSHA1And40BitRC2_CBC, NID_pbe_WithSHA1And40BitRC2_CBC, 1000,
        1000, 0, context, nullptr));
    OSSL_PROVIDER_unload(legacy);
  }
  OSSL_PROVIDER_unload(base);
  OSSL_LIB_CTX_free(context);
  ERR_clear_error();
  return pfx;
}

// Its MAC by a digest that no OpenSSL has heard of: the last byte of SHA-256's
// object identifier is another.
Bytes WithUnknownMac(Bytes pfx) {
  const Bytes sha256 = {0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01};
  const auto found =
      std::find_end(pfx.begin(), pfx.end(), sha256.begin(), sha256.end());
  REQUIRE(found != pfx.end());
  *(found + 8) = 0x7f;
  return pfx;
}

}  // namespace

TEST_CASE("pfx: every kind of key") {
  for (const std::string& kind : ClientKinds()) {
    CAPTURE(kind);
    const Identity& identity = ThePki().clients.at(kind);
    auto made = Make(Pfx(identity, identity.chain, "secret"), "secret");
    REQUIRE(FailureOf(made) == "none");
    CHECK(EVP_PKEY_eq(made.value()->key(), identity.key.get()) == 1);
    CHECK(CertificateDer(made.value()->certificate()) == ChainOf(identity)[0]);
    CHECK(Links(*made.value()) == Ders({&ThePki().intermediate_a}));
  }
}

TEST_CASE("pfx: a wrong or missing passphrase, and none where none is") {
  const Bytes locked = Pfx(P256(), {}, "secret");
  CHECK(FailureOf(Make(locked, "secret")) == "none");
  CHECK(FailureOf(Make(locked, "wrong")) == "pfx-passphrase-wrong");
  CHECK(FailureOf(Make(locked, "")) == "pfx-passphrase-wrong");
  CHECK(FailureOf(Make(locked)) == "pfx-passphrase-missing");
  // No passphrase and an empty one are encoded differently; either may be
  // meant where none is given.
  CHECK(FailureOf(Make(Pfx(P256(), {}, ""))) == "none");
  CHECK(FailureOf(Make(Pfx(P256(), {}, ""), "")) == "none");
  CHECK(FailureOf(Make(Pfx(P256(), {}, std::nullopt))) == "none");
  CHECK(FailureOf(Make(Pfx(P256(), {}, std::nullopt), "")) == "none");
}

TEST_CASE("pfx: the chain is put in order, root and strangers left out") {
  const Identity root = Issue({"Deep root", nullptr, true}, MakeKey("p256"));
  const Identity upper = Issue({"Upper", &root, true}, MakeKey("p256"));
  const Identity middle = Issue({"Middle", &upper, true}, MakeKey("p256"));
  const Identity lower = Issue({"Lower", &middle, true}, MakeKey("p256"));
  const Identity leaf = Issue({"leaf", &lower}, MakeKey("p256"));
  X509* r = root.certificate.get();
  X509* u = upper.certificate.get();
  X509* m = middle.certificate.get();
  X509* l = lower.certificate.get();
  X509* stranger = ThePki().intermediate_b.certificate.get();
  for (const std::vector<X509*>& pool : {std::vector<X509*>{l, m, u, r},
                                         {r, u, m, l},
                                         {u, stranger, l, m},
                                         {m, l, m, u, u, r, stranger}}) {
    auto made = Make(Pfx(leaf, pool, "secret"), "secret");
    REQUIRE(FailureOf(made) == "none");
    CHECK(Links(*made.value()) == Ders({&lower, &middle, &upper}));
  }
  // With a link missing the chain ends where it can no longer go on.
  auto gap = Make(Pfx(leaf, {u, l, r}, "secret"), "secret");
  REQUIRE(gap.ok());
  CHECK(Links(*gap.value()) == Ders({&lower}));
}

TEST_CASE("pfx: issuers that certify each other in a circle") {
  const Identity start = Issue({"Loop B", nullptr, true}, MakeKey("p256"));
  const Identity loop_a = Issue({"Loop A", &start, true}, MakeKey("p256"));
  EVP_PKEY_up_ref(start.key.get());
  const Identity loop_b =
      Issue({"Loop B", &loop_a, true}, EvpPkeyPointer(start.key.get()));
  const Identity leaf = Issue({"leaf", &loop_a}, MakeKey("p256"));
  // More in the pool than in the circle: still each is sent once.
  auto made = Make(Pfx(leaf,
                       {loop_b.certificate.get(), loop_a.certificate.get(),
                        ThePki().root_a.certificate.get(),
                        ThePki().root_b.certificate.get()},
                       "secret"),
                   "secret");
  REQUIRE(FailureOf(made) == "none");
  CHECK(Links(*made.value()) == Ders({&loop_a, &loop_b}));
}

TEST_CASE("pfx: a leaf that signed itself has no chain") {
  const Identity& alone = ThePki().self_signed_server;
  auto made =
      Make(Pfx(alone, {ThePki().root_a.certificate.get()}, "secret"), "secret");
  REQUIRE(FailureOf(made) == "none");
  CHECK(Links(*made.value()).empty());
}

TEST_CASE("pfx: without its key or its certificate it is incomplete") {
  const Bytes no_certificate = Encode(PKCS12_create(
      "secret", nullptr, P256().key.get(), nullptr, nullptr, 0, 0, 0, 0, 0));
  auto made = Make(no_certificate, "secret");
  CHECK(FailureOf(made) == "pfx-incomplete");
  CHECK(made.failure().detail == "certificate");
  const Bytes no_key =
      Encode(PKCS12_create("secret", nullptr, nullptr, P256().certificate.get(),
                           nullptr, 0, 0, 0, 0, 0));
  made = Make(no_key, "secret");
  CHECK(FailureOf(made) == "pfx-incomplete");
  CHECK(made.failure().detail == "private key");
}

TEST_CASE("pfx: what is none") {
  Bytes torn = Pfx(P256(), {}, "secret");
  torn.resize(torn.size() / 2);
  for (const Bytes& input :
       {Bytes{}, Bytes{0x30}, Bytes(100, 0x30), torn,
        CertificateDer(P256().certificate.get()), KeyPem(P256().key.get())}) {
    auto made = Make(input, "secret");
    CHECK(FailureOf(made) == "pfx-unreadable");
  }
}

TEST_CASE("pfx: any changed byte is an error or no matter, never a crash") {
  const Bytes good = Pfx(P256(), P256().chain, "secret");
  for (size_t i = 0; i < good.size(); i += 7) {
    Bytes bad = good;
    bad[i] ^= 0x41;
    // Iteration counts of millions would be valid and take minutes.
    if (i + 40 > good.size()) break;
    (void)Make(bad, "secret");
  }
}

TEST_CASE("pfx: RC2-40 is named as unsupported") {
  const Bytes pfx = LegacyPfx();
  if (pfx.empty()) {
    MESSAGE("skipped: this OpenSSL has no legacy provider to make one with");
    return;
  }
  CHECK(FailureOf(Make(pfx, "secret")) == "pfx-unsupported");
  CHECK(FailureOf(Make(pfx, "wrong")) == "pfx-passphrase-wrong");
}

TEST_CASE(
    "pfx: a MAC that cannot be made is unsupported, and no secret wrong") {
  // Whirlpool is in OpenSSL 3's legacy provider, which is not there to check.
  const Pkcs12Pointer pfx = [] {
    const Bytes der = Pfx(P256(), {}, "secret");
    const uint8_t* position = der.data();
    return Pkcs12Pointer(
        d2i_PKCS12(nullptr, &position, static_cast<long>(der.size())));
  }();
  OSSL_PROVIDER* legacy = OSSL_PROVIDER_load(nullptr, "legacy");
  OSSL_PROVIDER* base = OSSL_PROVIDER_load(nullptr, "default");
  const bool made =
      legacy != nullptr && PKCS12_set_mac(pfx.get(), "secret", 6, nullptr, 0,
                                          1000, EVP_whirlpool()) == 1;
  OSSL_PROVIDER_unload(legacy);
  OSSL_PROVIDER_unload(base);
  ERR_clear_error();
  REQUIRE(made);
  uint8_t* der = nullptr;
  const int size = i2d_PKCS12(pfx.get(), &der);
  REQUIRE(size > 0);
  const Bytes whirlpool(der, der + size);
  OPENSSL_free(der);
  for (const Bytes& bytes :
       {whirlpool, WithUnknownMac(Pfx(P256(), {}, "secret"))}) {
    CHECK(FailureOf(Make(bytes, "secret")) == "pfx-unsupported");
    CHECK(FailureOf(Make(bytes, "wrong")) == "pfx-unsupported");
    CHECK(FailureOf(Make(bytes)) == "pfx-unsupported");
  }
}

}  // namespace tls_client_cert::test
