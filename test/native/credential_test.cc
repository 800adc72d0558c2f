// A leaf, its key and its chain, from PEM and DER.
#include "credential.h"

#include <doctest/doctest.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "pki.h"

namespace tls_client_cert::test {

namespace {

const Identity& P256() { return ThePki().clients.at("p256"); }

Bytes Join(const std::vector<Bytes>& parts) {
  Bytes joined;
  for (const Bytes& part : parts) {
    joined.insert(joined.end(), part.begin(), part.end());
  }
  return joined;
}

Bytes Text(const std::string& text) { return Bytes(text.begin(), text.end()); }

// "-----BEGIN RSA PRIVATE KEY-----" and its like, encrypted or not.
Bytes TraditionalPem(const Identity& identity, const std::string& passphrase) {
  const BioPointer bio(BIO_new(BIO_s_mem()));
  REQUIRE(PEM_write_bio_PrivateKey_traditional(
              bio.get(), identity.key.get(),
              passphrase.empty() ? nullptr : EVP_aes_128_cbc(),
              reinterpret_cast<const unsigned char*>(passphrase.data()),
              static_cast<int>(passphrase.size()), nullptr, nullptr) == 1);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);  // NOLINT
  return Bytes(data, data + size);
}

Result<Credential::Pointer> Make(
    const Bytes& certificate, const std::vector<Bytes>& chain,
    const std::vector<Bytes>& keys,
    const std::optional<std::string>& passphrase = std::nullopt) {
  CertificateInput input;
  input.certificate = certificate;
  input.chain.assign(chain.begin(), chain.end());
  for (const Bytes& key : keys) {
    KeyInput one{key, std::nullopt};
    if (passphrase) one.passphrase = BytesView(*passphrase);
    input.keys.push_back(one);
  }
  auto made = Credential::Create(input);
  // A stray entry would be taken for some connection's failure.
  CHECK(ERR_peek_error() == 0);
  return made;
}

// The failure with its place in the input: "key-unreadable 1".
std::string FailureOf(Result<Credential::Pointer> made) {
  if (made.ok()) return "none";
  return std::string(FailureReasonName(made.failure().reason)) + " " +
         std::to_string(made.failure().index);
}

std::string KeyFailure(const Bytes& key,
                       const std::optional<std::string>& passphrase) {
  return FailureOf(
      Make(CertificatePem(P256().certificate.get()), {}, {key}, passphrase));
}

std::vector<Bytes> Links(const Credential& credential) {
  std::vector<Bytes> links;
  for (int i = 0; i < sk_X509_num(credential.chain()); i++) {
    links.push_back(CertificateDer(sk_X509_value(credential.chain(), i)));
  }
  return links;
}

}  // namespace

TEST_CASE("credential: every kind of key, PEM and DER") {
  for (const std::string& kind : ClientKinds()) {
    CAPTURE(kind);
    const Identity& identity = ThePki().clients.at(kind);
    const Bytes pem = CertificatePem(identity.certificate.get());
    const Bytes der = CertificateDer(identity.certificate.get());
    for (const Bytes& certificate : {pem, der}) {
      for (const Bytes& key :
           {KeyPem(identity.key.get()), KeyDer(identity.key.get()),
            KeyPem(identity.key.get(), "secret"),
            KeyDer(identity.key.get(), "secret")}) {
        auto made = Make(certificate, {}, {key}, "secret");
        REQUIRE(FailureOf(made) == "none");
        CHECK(CertificateDer(made.value()->certificate()) == der);
        CHECK(EVP_PKEY_eq(made.value()->key(), identity.key.get()) == 1);
        CHECK(Links(*made.value()).empty());
      }
    }
  }
}

TEST_CASE("credential: traditional key forms") {
  for (const char* kind : {"rsa", "p256"}) {
    CAPTURE(kind);
    const Identity& identity = ThePki().clients.at(kind);
    const Bytes certificate = CertificatePem(identity.certificate.get());
    const Bytes locked = TraditionalPem(identity, "secret");
    CHECK(FailureOf(Make(certificate, {}, {TraditionalPem(identity, "")})) ==
          "none");
    CHECK(FailureOf(Make(certificate, {}, {locked}, "secret")) == "none");
    CHECK(FailureOf(Make(certificate, {}, {locked}, "wrong")) ==
          "key-passphrase-wrong 0");
    CHECK(FailureOf(Make(certificate, {}, {locked})) ==
          "key-passphrase-missing 0");
  }
}

TEST_CASE("credential: a wrong, missing, empty or overlong passphrase") {
  const std::string overlong(5000, 'x');
  for (const Bytes& key : {KeyPem(P256().key.get(), "secret"),
                           KeyDer(P256().key.get(), "secret")}) {
    CHECK(KeyFailure(key, "secret") == "none");
    CHECK(KeyFailure(key, "wrong") == "key-passphrase-wrong 0");
    CHECK(KeyFailure(key, std::nullopt) == "key-passphrase-missing 0");
    CHECK(KeyFailure(key, "") == "key-passphrase-wrong 0");
    CHECK(KeyFailure(key, overlong) == "key-passphrase-wrong 0");
  }
}

TEST_CASE("credential: a passphrase may hold any byte") {
  const std::string odd("a\0b\xff", 4);
  CHECK(KeyFailure(KeyPem(P256().key.get(), odd), odd) == "none");
  CHECK(KeyFailure(KeyPem(P256().key.get(), odd), "a") ==
        "key-passphrase-wrong 0");
}

TEST_CASE("credential: a passphrase nobody needs does no harm") {
  CHECK(KeyFailure(KeyPem(P256().key.get()), "unneeded") == "none");
  CHECK(KeyFailure(KeyDer(P256().key.get()), "unneeded") == "none");
}

TEST_CASE("credential: of several keys the one that fits, wherever it is") {
  const Bytes certificate = CertificatePem(P256().certificate.get());
  const Bytes fits = KeyPem(P256().key.get());
  const Bytes other = KeyPem(ThePki().client_b.key.get());
  const Bytes rsa = KeyDer(ThePki().clients.at("rsa").key.get());
  for (const std::vector<Bytes>& keys : {std::vector<Bytes>{fits, other, rsa},
                                         {other, fits, rsa},
                                         {rsa, other, fits}}) {
    auto made = Make(certificate, {}, keys);
    REQUIRE(FailureOf(made) == "none");
    CHECK(EVP_PKEY_eq(made.value()->key(), P256().key.get()) == 1);
  }
  CHECK(FailureOf(Make(certificate, {}, {other})) == "key-mismatch 0");
  CHECK(FailureOf(Make(certificate, {}, {rsa})) == "key-mismatch 0");
  CHECK(FailureOf(Make(certificate, {}, {other, rsa})) == "key-mismatch 0");
  CHECK(FailureOf(Make(certificate, {}, {})) == "key-mismatch 0");
}

TEST_CASE("credential: an unreadable key is named by its place") {
  const Bytes certificate = CertificatePem(P256().certificate.get());
  const Bytes other = KeyPem(ThePki().client_b.key.get());
  CHECK(FailureOf(Make(certificate, {}, {other, Text("nonsense")})) ==
        "key-unreadable 1");
  CHECK(FailureOf(Make(certificate, {},
                       {other, other, KeyPem(P256().key.get(), "secret")})) ==
        "key-passphrase-missing 2");
}

TEST_CASE("credential: what is no key") {
  Bytes torn = KeyPem(P256().key.get());
  torn.resize(torn.size() / 2);
  Bytes longer = KeyDer(P256().key.get());
  longer.push_back(0);
  Bytes shorter = KeyDer(P256().key.get());
  shorter.pop_back();
  for (const Bytes& input :
       {Bytes{}, Text("nonsense"), Bytes{0x30}, Bytes{0x30, 0x82, 0xff, 0xff},
        Bytes(10, 0x30), torn, longer, shorter,
        CertificatePem(P256().certificate.get()),
        CertificateDer(P256().certificate.get())}) {
    CHECK(KeyFailure(input, std::nullopt) == "key-unreadable 0");
    CHECK(KeyFailure(input, "secret") == "key-unreadable 0");
  }
}

TEST_CASE("credential: a key may follow its certificate in one PEM text") {
  const Bytes both =
      Join({Text("a remark\n"), CertificatePem(P256().certificate.get()),
            KeyPem(P256().key.get())});
  CHECK(FailureOf(Make(both, {}, {both})) == "none");
}

TEST_CASE("credential: the chain keeps the order it was given in") {
  const Pki& pki = ThePki();
  const Bytes leaf = CertificatePem(P256().certificate.get());
  X509* first = pki.intermediate_a.certificate.get();
  X509* second = pki.root_a.certificate.get();
  X509* third = pki.root_b.certificate.get();
  const Bytes key = KeyPem(P256().key.get());
  auto made = Make(Join({leaf, Text("\nremark\n"), CertificatePem(second)}),
                   {CertificateDer(first), CertificatePem(third)}, {key});
  REQUIRE(FailureOf(made) == "none");
  CHECK(Links(*made.value()) == std::vector<Bytes>{CertificateDer(second),
                                                   CertificateDer(first),
                                                   CertificateDer(third)});
}

TEST_CASE("credential: what is no certificate") {
  const Bytes leaf = CertificatePem(P256().certificate.get());
  const Bytes key = KeyPem(P256().key.get());
  Bytes torn = leaf;
  torn.resize(torn.size() / 2);
  Bytes spoilt = leaf;
  spoilt[leaf.size() / 2] = '!';
  Bytes longer = CertificateDer(P256().certificate.get());
  longer.push_back(0);
  for (const Bytes& input :
       {Bytes{}, Text("nonsense"), Bytes{0x30}, torn, spoilt, longer, key,
        // A readable beginning must not hide an unreadable rest.
        Join({leaf, torn}), Join({leaf, spoilt})}) {
    CHECK(FailureOf(Make(input, {}, {key})) == "certificate-unreadable 0");
    CHECK(FailureOf(Make(leaf, {leaf, input}, {key})) == "chain-unreadable 1");
  }
}

TEST_CASE("credential: a failure says what OpenSSL said") {
  const Bytes leaf = CertificatePem(P256().certificate.get());
  auto none = Make(Text("nonsense"), {}, {});
  REQUIRE_FALSE(none.ok());
  REQUIRE_FALSE(none.failure().stack.empty());
  CHECK(none.failure().stack[0].reason == "no start line");
  CHECK(none.failure().stack[0].library == "PEM routines");
  auto mismatch = Make(leaf, {}, {KeyPem(ThePki().client_b.key.get())});
  REQUIRE_FALSE(mismatch.ok());
  REQUIRE_FALSE(mismatch.failure().stack.empty());
  CHECK(mismatch.failure().stack[0].reason == "key values mismatch");
}

}  // namespace tls_client_cert::test
