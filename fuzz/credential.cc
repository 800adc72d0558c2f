// What a caller hands in: certificates, keys, PFX files, passphrases,
// authorities, revocation lists, sessions.
#include "credential.h"

#include <openssl/err.h>
#include <openssl/pkcs12.h>
#include <openssl/x509v3.h>

#include "certificate_reader.h"
#include "certificate_request.h"
#include "determinism.h"
#include "key_reader.h"
#include "parts.h"
#include "require.h"
#include "resumption.h"
#include "target.h"
#include "trust_store.h"
#include "work_limit.h"
#include "world.h"

namespace tls_client_cert::fuzz {

namespace {

constexpr uint8_t kTrust = 5;
constexpr uint8_t kResume = 6;
constexpr uint8_t kModes = 8;

std::optional<BytesView> PassphraseOf(const Parts& parts) {
  if ((parts.flags & 1) != 0) return std::nullopt;
  return BytesView(parts.passphrase);
}

// For whoever asks what a server would get: a client's, before it has heard
// anything.
SSL* IdleSsl() {
  // Never freed: the fuzzer ends by exit().
  static SSL* const ssl = SSL_new(TheWorld().contexts[0][0]->get());
  return ssl;
}

// What holds of every credential, wherever it came from.
void Check(Result<Credential::Pointer> made) {
  REQUIRE(ERR_peek_error() == 0);
  if (!made.ok()) {
    REQUIRE(FailureReasonName(made.failure().reason) != nullptr);
    return;
  }
  const Credential& credential = *made.value();
  X509* leaf = credential.certificate();
  REQUIRE(leaf != nullptr);
  REQUIRE(credential.key() != nullptr);
  REQUIRE(credential.chain() != nullptr);
  REQUIRE(credential.fingerprint().size() == 32);
  const ErrorMark errors;
  REQUIRE(X509_check_private_key(leaf, credential.key()) == 1);
  for (int i = 0; i < sk_X509_num(credential.chain()); i++) {
    EncodeCertificate(sk_X509_value(credential.chain(), i));
  }
  const auto schemes = SchemesOfKeyType(credential.key());
  for (const SignatureScheme scheme : schemes) {
    REQUIRE(credential.Allows(scheme) || credential.is_external());
    KeyFitsScheme(credential.key(), scheme, TLS1_3_VERSION);
  }
  CertificateSignedUnder(leaf, schemes);
  REQUIRE(WhyNotSent(IdleSsl(), HandshakeLog(), credential).has_value());
}

void FromCertificate(const Parts& parts) {
  CertificateInput input;
  input.certificate = parts.at(0);
  const size_t keys = 1 + (parts.flags >> 1 & 1);
  for (size_t i = 1; i < parts.parts.size(); i++) {
    if (i <= keys) {
      input.keys.push_back({parts.at(i), PassphraseOf(parts)});
    } else {
      input.chain.push_back(parts.at(i));
    }
  }
  Check(Credential::Create(input));
}

// The same in PEM, under labels that may be the right ones.
void FromPem(const Parts& parts) {
  static const char* const labels[] = {
      "CERTIFICATE",      "TRUSTED CERTIFICATE",
      "PRIVATE KEY",      "ENCRYPTED PRIVATE KEY",
      "EC PRIVATE KEY",   "RSA PRIVATE KEY",
      "X509 CERTIFICATE", "X509 CRL"};
  Parts wrapped = parts;
  size_t label = parts.flags >> 2;
  for (Bytes& part : wrapped.parts) {
    part = ToPem(labels[label % std::size(labels)], part);
    // With the certificate's label first, a key's is to follow.
    label = label < 2 ? label + 2 : label;
  }
  FromCertificate(wrapped);
}

void FromPfx(BytesView bytes, const Parts& parts) {
  PfxInput input;
  input.bytes = bytes;
  input.passphrase = PassphraseOf(parts);
  Check(Credential::Create(input));
}

// A PFX around whatever is in it, with its proof of integrity right: else
// nothing that was changed would be looked at.
void FromSafeContents(const Parts& parts) {
  const ErrorMark errors;
  STACK_OF(PKCS7)* safes = sk_PKCS7_new_null();
  for (const Bytes& part : parts.parts) {
    PKCS7* safe = PKCS7_new();
    ASN1_OCTET_STRING* content = ASN1_OCTET_STRING_new();
    ASN1_OCTET_STRING_set(content, part.data(), static_cast<int>(part.size()));
    safe->type = OBJ_nid2obj(NID_pkcs7_data);
    safe->d.data = content;
    sk_PKCS7_push(safes, safe);
  }
  const Pkcs12Pointer pfx(PKCS12_init(NID_pkcs7_data));
  PKCS12_pack_authsafes(pfx.get(), safes);
  sk_PKCS7_pop_free(safes, PKCS7_free);
  const std::string passphrase(parts.passphrase.begin(),
                               parts.passphrase.end());
  if (PKCS12_set_mac(pfx.get(), passphrase.c_str(), -1, nullptr, 0, 1,
                     EVP_sha256()) != 1) {
    return;
  }
  unsigned char* der = nullptr;
  const int size = i2d_PKCS12(pfx.get(), &der);
  if (size <= 0) return;
  const Bytes bytes(der, der + size);
  OPENSSL_free(der);
  FromPfx(bytes, parts);
}

void FromExternal(const Parts& parts) {
  ExternalKeyInput input;
  input.certificate = parts.at(0);
  for (size_t i = 2; i < parts.parts.size(); i++) {
    input.chain.push_back(parts.at(i));
  }
  const BytesView schemes = parts.at(1);
  for (size_t i = 0; i + 1 < schemes.size; i += 2) {
    input.schemes.push_back(static_cast<SignatureScheme>(schemes.data[i] << 8 |
                                                         schemes.data[i + 1]));
  }
  Check(Credential::Create(input));
}

void Trust(const Parts& parts) {
  std::vector<BytesView> authorities;
  std::vector<BytesView> crls;
  for (size_t i = 0; i < parts.parts.size(); i++) {
    ((parts.flags >> (i % 8) & 1) != 0 ? crls : authorities)
        .push_back(parts.at(i));
  }
  auto made = TrustStore::Shared(authorities, crls);
  REQUIRE(ERR_peek_error() == 0);
  if (!made.ok()) return;
  REQUIRE(made.value()->digest().size() == 32);
  REQUIRE(TrustStore::Shared(authorities, crls).value() == made.value());
  auto based = TrustStore::Create({}, {}, made.value());
  REQUIRE(based.ok());
}

Bytes MarkIn(SSL_SESSION* session) {
  void* data = nullptr;
  size_t size = 0;
  REQUIRE(SSL_SESSION_get0_ticket_appdata(session, &data, &size) == 1);
  const auto* bytes = static_cast<const uint8_t*>(data);
  return Bytes(bytes, bytes + size);
}

// What is read as a mark is just what would be written.
void ReadMark(BytesView der) {
  const ErrorMark errors;
  const SslSessionPointer session = ParseSession(der);
  if (!session) return;
  const auto mark = ReadSessionMark(session.get());
  if (!mark) return;
  const Bytes read = MarkIn(session.get());
  REQUIRE(WriteSessionMark(session.get(), *mark));
  REQUIRE(MarkIn(session.get()) == read);
}

void Resume(const Parts& parts) {
  ReadMark(parts.at(0));
  Self self;
  self.trust.assign(parts.at(1).data, parts.at(1).data + parts.at(1).size);
  self.declines = (parts.flags & 2) != 0;
  self.must_be_known = (parts.flags & 4) != 0;
  for (const Person& person : TheWorld().people) {
    self.credentials.push_back(person.credential);
  }
  Resumption resumption;
  const SslSessionPointer session = resumption.Choose(parts.at(0), self);
  REQUIRE(ERR_peek_error() == 0);
  if (!session) return;
  REQUIRE(resumption.mark().has_value());
  REQUIRE(resumption.mark()->trust == self.trust);
  const SecretBytes der = SerializeSession(session.get());
  const SslSessionPointer again = ParseSession(der);
  REQUIRE(again != nullptr);
  REQUIRE(ReadSessionMark(again.get()).has_value());
}

}  // namespace

void Execute(BytesView bytes) {
  const Parts parts = ReadParts(bytes);
  const uint8_t mode = parts.mode % kModes;
  // Times are large numbers as well; with these nothing is hashed.
  const bool has_counts = mode != kTrust && mode != kResume;
  for (const Bytes& part : parts.parts) {
    if (has_counts && AsksForMuchWork(part)) return;
  }
  SeedRandomNumbers(1);
  switch (mode) {
    case 0:
      return FromCertificate(parts);
    case 1:
      return FromPem(parts);
    case 2:
      return FromPfx(parts.at(0), parts);
    case 3:
      return FromSafeContents(parts);
    case 4:
      return FromExternal(parts);
    case kTrust:
      return Trust(parts);
    case kResume:
      return Resume(parts);
    default: {
      const KeyInput input = {parts.at(0), PassphraseOf(parts)};
      const auto read = ReadPrivateKey(input, 0);
      REQUIRE(ERR_peek_error() == 0);
    }
  }
}

}  // namespace tls_client_cert::fuzz

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  tls_client_cert::fuzz::TheWorld();
  tls_client_cert::fuzz::IdleSsl();
  return 0;
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size,
                                          size_t max_size, unsigned seed) {
  return tls_client_cert::fuzz::MutateParts(data, size, max_size, seed,
                                            tls_client_cert::fuzz::kModes);
}
