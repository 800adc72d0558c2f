#include "signature_scheme.h"

#include <openssl/ec.h>
#include <openssl/obj_mac.h>
#include <openssl/objects.h>
#include <openssl/tls1.h>

namespace tls_client_cert {

namespace {

struct SchemeRow {
  SignatureScheme scheme;
  int key_type;       // EVP_PKEY base id of a key that can sign under it
  int signature;      // as X509_get_signature_info names it
  int digest;         // NID_undef where the scheme has none of its own
  int curve;          // TLS 1.3 binds ECDSA schemes to a curve
  bool in_tls13;      // may sign a TLS 1.3 CertificateVerify
  int min_rsa_bytes;  // PSS needs 2 * digest + 2
};

constexpr SchemeRow kSchemes[] = {
    {0x0403, EVP_PKEY_EC, EVP_PKEY_EC, NID_sha256, NID_X9_62_prime256v1, true,
     0},
    {0x0503, EVP_PKEY_EC, EVP_PKEY_EC, NID_sha384, NID_secp384r1, true, 0},
    {0x0603, EVP_PKEY_EC, EVP_PKEY_EC, NID_sha512, NID_secp521r1, true, 0},
    {0x0807, EVP_PKEY_ED25519, EVP_PKEY_ED25519, NID_undef, NID_undef, true, 0},
    {0x0808, EVP_PKEY_ED448, EVP_PKEY_ED448, NID_undef, NID_undef, true, 0},
    // Brainpool, RFC 8734 (TLS 1.3) and their TLS 1.2 use.
    {0x081a, EVP_PKEY_EC, EVP_PKEY_EC, NID_sha256, NID_brainpoolP256r1, true,
     0},
    {0x081b, EVP_PKEY_EC, EVP_PKEY_EC, NID_sha384, NID_brainpoolP384r1, true,
     0},
    {0x081c, EVP_PKEY_EC, EVP_PKEY_EC, NID_sha512, NID_brainpoolP512r1, true,
     0},
    {0x0804, EVP_PKEY_RSA, EVP_PKEY_RSA_PSS, NID_sha256, NID_undef, true, 66},
    {0x0805, EVP_PKEY_RSA, EVP_PKEY_RSA_PSS, NID_sha384, NID_undef, true, 98},
    {0x0806, EVP_PKEY_RSA, EVP_PKEY_RSA_PSS, NID_sha512, NID_undef, true, 130},
    {0x0809, EVP_PKEY_RSA_PSS, EVP_PKEY_RSA_PSS, NID_sha256, NID_undef, true,
     66},
    {0x080a, EVP_PKEY_RSA_PSS, EVP_PKEY_RSA_PSS, NID_sha384, NID_undef, true,
     98},
    {0x080b, EVP_PKEY_RSA_PSS, EVP_PKEY_RSA_PSS, NID_sha512, NID_undef, true,
     130},
    {0x0401, EVP_PKEY_RSA, EVP_PKEY_RSA, NID_sha256, NID_undef, false, 0},
    {0x0501, EVP_PKEY_RSA, EVP_PKEY_RSA, NID_sha384, NID_undef, false, 0},
    {0x0601, EVP_PKEY_RSA, EVP_PKEY_RSA, NID_sha512, NID_undef, false, 0},
    {0x0303, EVP_PKEY_EC, EVP_PKEY_EC, NID_sha224, NID_undef, false, 0},
    {0x0301, EVP_PKEY_RSA, EVP_PKEY_RSA, NID_sha224, NID_undef, false, 0},
    {0x0203, EVP_PKEY_EC, EVP_PKEY_EC, NID_sha1, NID_undef, false, 0},
    {0x0201, EVP_PKEY_RSA, EVP_PKEY_RSA, NID_sha1, NID_undef, false, 0},
};

const SchemeRow* FindScheme(SignatureScheme scheme) {
  for (const SchemeRow& row : kSchemes) {
    if (row.scheme == scheme) return &row;
  }
  return nullptr;
}

int CurveOf(EVP_PKEY* key) {
  char name[80];
  size_t length = 0;
  if (EVP_PKEY_get_group_name(key, name, sizeof(name), &length) != 1) {
    return NID_undef;
  }
  const int nid = OBJ_txt2nid(name);
  return nid != NID_undef ? nid : EC_curve_nist2nid(name);
}

bool IsBrainpool(int curve) {
  return curve == NID_brainpoolP256r1 || curve == NID_brainpoolP384r1 ||
         curve == NID_brainpoolP512r1;
}

}  // namespace

std::vector<SignatureScheme> SharedSignatureSchemes(SSL* ssl) {
  // Unlike SSL_get_sigalgs this getter refuses a negative index, and reports
  // the count with any entry.
  uint8_t low = 0;
  uint8_t high = 0;
  std::vector<SignatureScheme> schemes;
  const int count =
      SSL_get_shared_sigalgs(ssl, 0, nullptr, nullptr, nullptr, &low, &high);
  for (int i = 0; i < count; i++) {
    SSL_get_shared_sigalgs(ssl, i, nullptr, nullptr, nullptr, &low, &high);
    schemes.push_back(static_cast<SignatureScheme>(high << 8 | low));
  }
  return schemes;
}

std::vector<SignatureScheme> PeerSignatureSchemes(SSL* ssl) {
  uint8_t low = 0;
  uint8_t high = 0;
  std::vector<SignatureScheme> schemes;
  const int count =
      SSL_get_sigalgs(ssl, -1, nullptr, nullptr, nullptr, nullptr, nullptr);
  for (int i = 0; i < count; i++) {
    SSL_get_sigalgs(ssl, i, nullptr, nullptr, nullptr, &low, &high);
    schemes.push_back(static_cast<SignatureScheme>(high << 8 | low));
  }
  return schemes;
}

bool KeyFitsScheme(EVP_PKEY* key, SignatureScheme scheme, int version) {
  const SchemeRow* row = FindScheme(scheme);
  if (row == nullptr || EVP_PKEY_get_base_id(key) != row->key_type) {
    return false;
  }
  const bool tls13 = version >= TLS1_3_VERSION;
  if (tls13 && !row->in_tls13) return false;
  if (tls13 && row->curve != NID_undef && CurveOf(key) != row->curve) {
    return false;
  }
  if (EVP_PKEY_get_size(key) < row->min_rsa_bytes) return false;
  // A key may be bound to one digest (RSASSA-PSS parameters).
  return row->digest == NID_undef ||
         EVP_PKEY_digestsign_supports_digest(
             key, nullptr, OBJ_nid2sn(row->digest), nullptr) > 0;
}

std::optional<SignatureScheme> SchemeOf(EVP_PKEY* key, SignatureForm form,
                                        int version) {
  const bool tls13 = version >= TLS1_3_VERSION;
  const int type = EVP_PKEY_get_base_id(key);
  const int signature = form.pss ? EVP_PKEY_RSA_PSS : type;
  for (const SchemeRow& row : kSchemes) {
    if (row.key_type != type || row.signature != signature ||
        row.digest != form.digest || (tls13 && !row.in_tls13)) {
      continue;
    }
    // Below TLS 1.3 the row of a digest is the first, whatever its curve.
    if (tls13 && row.curve != NID_undef && CurveOf(key) != row.curve) continue;
    return row.scheme;
  }
  return std::nullopt;
}

bool IsRsaPss(SignatureScheme scheme) {
  const SchemeRow* row = FindScheme(scheme);
  return row != nullptr && row->signature == EVP_PKEY_RSA_PSS;
}

int DigestOfScheme(SignatureScheme scheme) {
  const SchemeRow* row = FindScheme(scheme);
  return row == nullptr ? -1 : row->digest;
}

std::vector<SignatureScheme> SchemesOfKeyType(EVP_PKEY* key) {
  std::vector<SignatureScheme> schemes;
  for (const SchemeRow& row : kSchemes) {
    // By name: a provider's key need not have a number.
    if (EVP_PKEY_is_a(key, OBJ_nid2sn(row.key_type)) != 1 ||
        EVP_PKEY_get_size(key) < row.min_rsa_bytes) {
      continue;
    }
    // Below TLS 1.3 the NIST curves' schemes stand for their digests alone,
    // and those of Brainpool for nothing (RFC 8734, section 2).
    if (IsBrainpool(row.curve) && CurveOf(key) != row.curve) continue;
    schemes.push_back(row.scheme);
  }
  return schemes;
}

bool CertificateSignedUnder(X509* certificate,
                            const std::vector<SignatureScheme>& accepted) {
  int digest = NID_undef;
  int signature = NID_undef;
  if (X509_get_signature_info(certificate, &digest, &signature, nullptr,
                              nullptr) != 1) {
    return false;
  }
  for (const SignatureScheme scheme : accepted) {
    const SchemeRow* row = FindScheme(scheme);
    if (row != nullptr && row->digest == digest &&
        row->signature == signature) {
      return true;
    }
  }
  return false;
}

}  // namespace tls_client_cert
