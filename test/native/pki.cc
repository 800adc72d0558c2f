#include "pki.h"

#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include <utility>

#include "error_stack.h"
#include "require.h"

namespace tls_client_cert::test {

namespace {

// RSASSA-PSS, for any digest or, given one, for that alone.
EvpPkeyPointer MakePss(const EVP_MD* digest) {
  EVP_PKEY_CTX* context = EVP_PKEY_CTX_new_id(EVP_PKEY_RSA_PSS, nullptr);
  REQUIRE(EVP_PKEY_keygen_init(context) == 1);
  REQUIRE(EVP_PKEY_CTX_set_rsa_keygen_bits(context, 2048) == 1);
  if (digest != nullptr) {
    REQUIRE(EVP_PKEY_CTX_set_rsa_pss_keygen_md(context, digest) == 1);
    REQUIRE(EVP_PKEY_CTX_set_rsa_pss_keygen_mgf1_md(context, digest) == 1);
    REQUIRE(EVP_PKEY_CTX_set_rsa_pss_keygen_saltlen(
                context, EVP_MD_get_size(digest)) == 1);
  }
  EVP_PKEY* key = nullptr;
  REQUIRE(EVP_PKEY_keygen(context, &key) == 1);
  EVP_PKEY_CTX_free(context);
  return EvpPkeyPointer(key);
}

void AddExtension(X509* certificate, X509* issuer, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension =
      X509V3_EXT_conf_nid(nullptr, &context, nid, value);
  REQUIRE(extension != nullptr);
  REQUIRE(X509_add_ext(certificate, extension, -1) == 1);
  X509_EXTENSION_free(extension);
}

// `revoked` may be null: then the list is empty.
X509CrlPointer SignCrl(const Identity& issuer, X509* revoked) {
  X509CrlPointer crl(X509_CRL_new());
  X509_CRL_set_version(crl.get(), X509_CRL_VERSION_2);
  X509_CRL_set_issuer_name(crl.get(),
                           X509_get_subject_name(issuer.certificate.get()));
  ASN1_TIME* time = ASN1_TIME_new();
  X509_gmtime_adj(time, -60);
  X509_CRL_set1_lastUpdate(crl.get(), time);
  if (revoked != nullptr) {
    X509_REVOKED* entry = X509_REVOKED_new();
    X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(revoked));
    X509_REVOKED_set_revocationDate(entry, time);
    X509_CRL_add0_revoked(crl.get(), entry);
  }
  X509_gmtime_adj(time, 24 * 60 * 60);
  X509_CRL_set1_nextUpdate(crl.get(), time);
  ASN1_TIME_free(time);
  X509_CRL_sort(crl.get());
  REQUIRE(X509_CRL_sign(crl.get(), issuer.key.get(), EVP_sha256()) > 0);
  return crl;
}

Bytes Drain(const BioPointer& bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);  // NOLINT
  return Bytes(data, data + size);
}

BioPointer MemoryBio() { return BioPointer(BIO_new(BIO_s_mem())); }

}  // namespace

EvpPkeyPointer MakeKey(const std::string& kind) {
  static const std::map<std::string, const char*> kCurves = {
      {"p256", "P-256"},
      {"p384", "P-384"},
      {"p521", "P-521"},
      {"brainpool256", "brainpoolP256r1"}};
  EVP_PKEY* key = nullptr;
  if (kind == "rsa") {
    key = EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", size_t{2048});
  } else if (kind == "rsa1024") {
    key = EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", size_t{1024});
  } else if (kind == "rsa-pss") {
    return MakePss(nullptr);
  } else if (kind == "rsa-pss-sha384") {
    return MakePss(EVP_sha384());
  } else if (kind == "ed25519") {
    key = EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
  } else if (kind == "ed448") {
    key = EVP_PKEY_Q_keygen(nullptr, nullptr, "ED448");
  } else {
    key = EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", kCurves.at(kind));
  }
  REQUIRE(key != nullptr);
  return EvpPkeyPointer(key);
}

Identity Issue(const CertificateSpec& spec, EvpPkeyPointer key) {
  static long serial = 1000;  // NOLINT: OpenSSL's type
  X509Pointer made(X509_new());
  X509* certificate = made.get();
  X509* issuer =
      spec.issuer == nullptr ? certificate : spec.issuer->certificate.get();
  EVP_PKEY* issuer_key =
      spec.issuer == nullptr ? key.get() : spec.issuer->key.get();
  constexpr long kDay = 24 * 60 * 60;  // NOLINT: OpenSSL's type
  REQUIRE(X509_set_version(certificate, X509_VERSION_3) == 1);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial);
  X509_gmtime_adj(X509_getm_notBefore(certificate), spec.starts_in_days * kDay);
  X509_gmtime_adj(X509_getm_notAfter(certificate), spec.ends_in_days * kDay);
  REQUIRE(X509_set_pubkey(certificate, key.get()) == 1);
  REQUIRE(X509_NAME_add_entry_by_txt(
              X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
              reinterpret_cast<const unsigned char*>(spec.name.c_str()), -1, -1,
              0) == 1);
  REQUIRE(X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) ==
          1);
  AddExtension(certificate, issuer, NID_basic_constraints,
               spec.authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
  AddExtension(certificate, issuer, NID_key_usage,
               spec.authority ? "critical,keyCertSign,cRLSign"
                              : "critical,digitalSignature");
  AddExtension(certificate, issuer, NID_subject_key_identifier, "hash");
  if (spec.issuer != nullptr) {
    AddExtension(certificate, issuer, NID_authority_key_identifier, "keyid");
  }
  REQUIRE(X509_sign(certificate, issuer_key, spec.digest) > 0);
  return {std::move(made), std::move(key), {}};
}

Pki::Pki() {
  root_a = Issue({"Root A", nullptr, true}, MakeKey("p256"));
  root_b = Issue({"Root B", nullptr, true}, MakeKey("p256"));
  intermediate_a = Issue({"Intermediate A", &root_a, true}, MakeKey("p256"));
  intermediate_b = Issue({"Intermediate B", &root_b, true}, MakeKey("p256"));
  weak_intermediate =
      Issue({"Weak intermediate", &root_a, true}, MakeKey("rsa1024"));

  server = Issue({"server.example", &intermediate_a}, MakeKey("p256"));
  server.chain = {intermediate_a.certificate.get()};
  revoked_server = Issue({"revoked.example", &root_a}, MakeKey("p256"));
  expired_server =
      Issue({"expired.example", &root_a, false, EVP_sha256(), -30, -1},
            MakeKey("p256"));
  self_signed_server = Issue({"self.example"}, MakeKey("p256"));
  stranger_server = Issue({"stranger.example", &root_b}, MakeKey("p256"));

  const auto add_client = [this](const std::string& kind) {
    Identity made = Issue({"client " + kind, &intermediate_a}, MakeKey(kind));
    made.chain = {intermediate_a.certificate.get()};
    clients.emplace(kind, std::move(made));
  };
  for (const std::string& kind : ClientKinds()) add_client(kind);
  add_client("rsa-pss-sha384");
  add_client("brainpool256");

  client_b = Issue({"client b", &intermediate_b}, MakeKey("p256"));
  client_b.chain = {intermediate_b.certificate.get()};
  weak_key = Issue({"weak key", &intermediate_a}, MakeKey("rsa1024"));
  weak_signature = Issue({"weak signature", &intermediate_a, false, EVP_sha1()},
                         MakeKey("p256"));
  weak_chain = Issue({"weak chain", &weak_intermediate}, MakeKey("p256"));
  weak_chain.chain = {weak_intermediate.certificate.get()};
}

X509CrlPointer Pki::MakeCrl(bool revokes) const {
  return SignCrl(root_a, revokes ? revoked_server.certificate.get() : nullptr);
}

X509CrlPointer Pki::MakeIntermediateCrl() const {
  return SignCrl(intermediate_a, nullptr);
}

const Pki& ThePki() {
  static const Pki pki;
  return pki;
}

const std::vector<std::string>& ClientKinds() {
  static const std::vector<std::string> kinds = {
      "rsa", "rsa-pss", "p256", "p384", "p521", "ed25519", "ed448"};
  return kinds;
}

Bytes CertificatePem(const X509* certificate) {
  const BioPointer bio = MemoryBio();
  REQUIRE(PEM_write_bio_X509(bio.get(), certificate) == 1);
  return Drain(bio);
}

Bytes CertificateDer(const X509* certificate) {
  const BioPointer bio = MemoryBio();
  REQUIRE(i2d_X509_bio(bio.get(), certificate) == 1);
  return Drain(bio);
}

Bytes CrlPem(const X509_CRL* crl) {
  const BioPointer bio = MemoryBio();
  REQUIRE(PEM_write_bio_X509_CRL(bio.get(), crl) == 1);
  return Drain(bio);
}

Bytes NameDer(const X509* certificate) {
  const uint8_t* der = nullptr;
  size_t size = 0;
  REQUIRE(X509_NAME_get0_der(X509_get_subject_name(certificate), &der, &size) ==
          1);
  return Bytes(der, der + size);
}

Bytes KeyPem(const EVP_PKEY* key,
             const std::optional<std::string>& passphrase) {
  const BioPointer bio = MemoryBio();
  REQUIRE(PEM_write_bio_PKCS8PrivateKey(
              bio.get(), key, passphrase ? EVP_aes_128_cbc() : nullptr,
              passphrase ? passphrase->data() : nullptr,
              passphrase ? static_cast<int>(passphrase->size()) : 0, nullptr,
              nullptr) == 1);
  return Drain(bio);
}

Bytes KeyDer(const EVP_PKEY* key,
             const std::optional<std::string>& passphrase) {
  const BioPointer bio = MemoryBio();
  REQUIRE(i2d_PKCS8PrivateKey_bio(
              bio.get(), key, passphrase ? EVP_aes_128_cbc() : nullptr,
              passphrase ? passphrase->data() : nullptr,
              passphrase ? static_cast<int>(passphrase->size()) : 0, nullptr,
              nullptr) == 1);
  return Drain(bio);
}

Bytes Pfx(const Identity& identity, const std::vector<X509*>& pool,
          const std::optional<std::string>& passphrase) {
  STACK_OF(X509)* stack = sk_X509_new_null();
  for (X509* certificate : pool) sk_X509_push(stack, certificate);
  const Pkcs12Pointer pfx(PKCS12_create(
      passphrase ? passphrase->c_str() : nullptr, nullptr, identity.key.get(),
      identity.certificate.get(), stack, 0, 0, 2048, 2048, 0));
  sk_X509_free(stack);
  REQUIRE(pfx != nullptr);
  const BioPointer bio = MemoryBio();
  REQUIRE(i2d_PKCS12_bio(bio.get(), pfx.get()) == 1);
  return Drain(bio);
}

Credential::Pointer CredentialOf(const Identity& identity) {
  const Bytes certificate = CertificatePem(identity.certificate.get());
  const Bytes key = KeyPem(identity.key.get());
  std::vector<Bytes> chain;
  for (const X509* link : identity.chain) chain.push_back(CertificatePem(link));
  CertificateInput input;
  input.certificate = certificate;
  input.chain.assign(chain.begin(), chain.end());
  input.keys = {{key, std::nullopt}};
  auto made = Credential::Create(input);
  REQUIRE(made.ok());
  return made.value();
}

std::vector<Bytes> ChainOf(const Identity& identity) {
  std::vector<Bytes> chain = {CertificateDer(identity.certificate.get())};
  for (const X509* link : identity.chain) chain.push_back(CertificateDer(link));
  return chain;
}

Bytes TrySigning(EVP_PKEY* key, SignatureScheme scheme, BytesView data) {
  const ErrorMark errors;
  const int digest = DigestOfScheme(scheme);
  const EvpMdCtxPointer ctx(EVP_MD_CTX_new());
  EVP_PKEY_CTX* key_ctx = nullptr;
  if (digest < 0 ||
      EVP_DigestSignInit_ex(ctx.get(), &key_ctx,
                            digest == NID_undef ? nullptr : OBJ_nid2sn(digest),
                            nullptr, nullptr, key, nullptr) != 1) {
    return {};
  }
  if (IsRsaPss(scheme)) {
    EVP_PKEY_CTX_set_rsa_padding(key_ctx, RSA_PKCS1_PSS_PADDING);
    EVP_PKEY_CTX_set_rsa_pss_saltlen(key_ctx, RSA_PSS_SALTLEN_DIGEST);
  }
  Bytes signature(static_cast<size_t>(EVP_PKEY_get_size(key)));
  size_t size = signature.size();
  if (EVP_DigestSign(ctx.get(), signature.data(), &size, data.data,
                     data.size) != 1) {
    return {};
  }
  signature.resize(size);
  return signature;
}

Bytes SignWith(EVP_PKEY* key, SignatureScheme scheme, BytesView data) {
  Bytes signature = TrySigning(key, scheme, data);
  REQUIRE(!signature.empty());
  return signature;
}

}  // namespace tls_client_cert::test
