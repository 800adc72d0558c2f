// Two authorities and what they issued, made in memory once a process.
#ifndef TLS_CLIENT_CERT_TEST_PKI_H_
#define TLS_CLIENT_CERT_TEST_PKI_H_

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "bytes.h"
#include "credential.h"
#include "pointers.h"
#include "signature_scheme.h"

namespace tls_client_cert::test {

struct Identity {
  X509Pointer certificate;
  EvpPkeyPointer key;
  std::vector<X509*> chain;  // owned by others of the same Pki
};

// What a certificate shall say. Without an issuer it signs itself.
struct CertificateSpec {
  std::string name;
  const Identity* issuer = nullptr;
  bool authority = false;
  const EVP_MD* digest = EVP_sha256();
  int starts_in_days = -1;
  int ends_in_days = 30;
};

EvpPkeyPointer MakeKey(const std::string& kind);
Identity Issue(const CertificateSpec& spec, EvpPkeyPointer key);

struct Pki {
  Pki();

  Identity root_a;
  Identity root_b;
  Identity intermediate_a;
  Identity intermediate_b;
  Identity server;          // issued by intermediate_a, which it sends
  Identity revoked_server;  // issued by root_a
  Identity expired_server;  // issued by root_a
  Identity self_signed_server;
  Identity stranger_server;                 // issued by root_b
  std::map<std::string, Identity> clients;  // by kind, under intermediate_a
  Identity client_b;                        // EC, under intermediate_b
  Identity weak_key;                        // RSA of 1024 bits
  Identity weak_signature;                  // signed with SHA-1
  Identity weak_chain;  // its intermediate is RSA of 1024 bits
  Identity weak_intermediate;

  // Root A's revocation list: with or without revoked_server in it.
  X509CrlPointer MakeCrl(bool revokes) const;
  // An empty one of Intermediate A's.
  X509CrlPointer MakeIntermediateCrl() const;
};

const Pki& ThePki();

// The kinds that issue 2 names: rsa, rsa-pss, p256, p384, p521, ed25519, ed448.
const std::vector<std::string>& ClientKinds();

Bytes CertificatePem(const X509* certificate);
Bytes CertificateDer(const X509* certificate);
Bytes CrlPem(const X509_CRL* crl);
Bytes NameDer(const X509* certificate);
// PKCS#8; encrypted when there is a passphrase.
Bytes KeyPem(const EVP_PKEY* key,
             const std::optional<std::string>& passphrase = std::nullopt);
Bytes KeyDer(const EVP_PKEY* key,
             const std::optional<std::string>& passphrase = std::nullopt);
Bytes Pfx(const Identity& identity, const std::vector<X509*>& pool,
          const std::optional<std::string>& passphrase);

Credential::Pointer CredentialOf(const Identity& identity);
// As whoever has the key would, by a scheme's number alone; empty where the key
// cannot.
Bytes TrySigning(EVP_PKEY* key, SignatureScheme scheme, BytesView data);
Bytes SignWith(EVP_PKEY* key, SignatureScheme scheme, BytesView data);
// Leaf first, in DER: what a server should see of `identity`.
std::vector<Bytes> ChainOf(const Identity& identity);

}  // namespace tls_client_cert::test

#endif  // TLS_CLIENT_CERT_TEST_PKI_H_
