#include "certificate_request.h"

#include <openssl/x509v3.h>

namespace tls_client_cert {

namespace {

// Bits of security that a level asks for, SSL_CTX_set_security_level(3).
int SecurityBits(SSL* ssl) {
  constexpr int kBits[] = {0, 80, 112, 128, 192, 256};
  const int level = SSL_get_security_level(ssl);
  if (level <= 0) return 0;
  return kBits[level > 5 ? 5 : level];
}

std::string WithLevel(SSL* ssl, const std::string& what, int bits) {
  return what + " of " + std::to_string(bits) +
         " bits of security, below the " + std::to_string(SecurityBits(ssl)) +
         " of security level " + std::to_string(SSL_get_security_level(ssl));
}

// The two checks OpenSSL makes when a certificate is loaded and again when it
// is written. `position` is 0 for the leaf.
std::optional<Failure> CheckSecurityLevel(SSL* ssl, X509* certificate,
                                          int position) {
  const int wanted = SecurityBits(ssl);
  if (wanted == 0) return std::nullopt;
  const EVP_PKEY* key = X509_get0_pubkey(certificate);
  const int key_bits = key == nullptr ? -1 : EVP_PKEY_get_security_bits(key);
  if (key_bits < wanted) {
    return Failure{FailureReason::kKeyTooSmall,
                   position,
                   WithLevel(ssl, "a public key", key_bits),
                   {}};
  }
  // Nobody relies on the signature by which a root signs itself.
  if ((X509_get_extension_flags(certificate) & EXFLAG_SS) != 0) {
    return std::nullopt;
  }
  int signature_bits = -1;
  if (X509_get_signature_info(certificate, nullptr, nullptr, &signature_bits,
                              nullptr) != 1) {
    signature_bits = -1;
  }
  if (signature_bits < wanted) {
    return Failure{FailureReason::kSignatureTooWeak,
                   position,
                   WithLevel(ssl, "a signature", signature_bits),
                   {}};
  }
  return std::nullopt;
}

// What OpenSSL, which takes the first of `shared` that a key can do, would take
// in place of shared[position]: RSA with PKCS#1 padding and the same digest.
SignatureScheme TakenBefore(const std::vector<SignatureScheme>& shared,
                            size_t position, EVP_PKEY* key, int version) {
  if (!IsRsaPss(shared[position])) return 0;
  const int digest = DigestOfScheme(shared[position]);
  for (size_t i = 0; i < position; i++) {
    if (!IsRsaPss(shared[i]) && DigestOfScheme(shared[i]) == digest &&
        KeyFitsScheme(key, shared[i], version)) {
      return shared[i];
    }
  }
  return 0;
}

}  // namespace

SchemeChoice ChooseScheme(SSL* ssl, const Credential& credential) {
  const int version = SSL_version(ssl);
  EVP_PKEY* key = credential.key();
  const std::vector<SignatureScheme> shared = SharedSignatureSchemes(ssl);
  SchemeChoice choice;
  for (size_t i = 0; i < shared.size(); i++) {
    if (!credential.Allows(shared[i]) ||
        !KeyFitsScheme(key, shared[i], version)) {
      continue;
    }
    const SignatureScheme taken = TakenBefore(shared, i, key, version);
    if (taken == 0) return {shared[i], 0};
    if (choice.scheme == 0) choice = {shared[i], taken};
  }
  return choice;
}

CertificateRequest ReadCertificateRequest(SSL* ssl, RequestPhase phase) {
  CertificateRequest request;
  request.phase = phase;
  const STACK_OF(X509_NAME)* names = SSL_get0_peer_CA_list(ssl);
  for (int i = 0; i < sk_X509_NAME_num(names); i++) {
    const X509_NAME* name = sk_X509_NAME_value(names, i);
    const uint8_t* der = nullptr;
    size_t size = 0;
    if (X509_NAME_get0_der(name, &der, &size) == 1) {
      request.authorities.emplace_back(der, der + size);
    }
  }
  request.signature_schemes = PeerSignatureSchemes(ssl);
  const uint8_t* types = nullptr;
  const size_t count = SSL_get0_certificate_types(ssl, &types);
  if (count > 0) request.certificate_types.assign(types, types + count);
  return request;
}

namespace {

std::optional<Failure> LookWhyNotSent(SSL* ssl, const HandshakeLog& log,
                                      const Credential& credential) {
  X509* leaf = credential.certificate();
  if (auto failure = CheckSecurityLevel(ssl, leaf, 0)) return failure;
  for (int i = 0; i < sk_X509_num(credential.chain()); i++) {
    if (auto failure = CheckSecurityLevel(
            ssl, sk_X509_value(credential.chain(), i), i + 1)) {
      return failure;
    }
  }
  if (SSL_version(ssl) < TLS1_2_VERSION) {
    // No schemes yet: RSA with MD5 and SHA-1 together, ECDSA with SHA-1. Nobody
    // outside is asked for these.
    const int type = EVP_PKEY_get_base_id(credential.key());
    if (credential.is_external() ||
        (type != EVP_PKEY_RSA && type != EVP_PKEY_EC)) {
      return Failure{FailureReason::kNoCommonScheme, 0, "", {}};
    }
  } else {
    const SchemeChoice choice = ChooseScheme(ssl, credential);
    if (choice.scheme == 0) {
      return Failure{FailureReason::kNoCommonScheme, 0, "", {}};
    }
    if (choice.instead != 0) {
      return Failure{FailureReason::kSchemeNotDeclared, choice.instead, "", {}};
    }
  }
  if (!log.certificate_schemes().empty() &&
      !CertificateSignedUnder(leaf, log.certificate_schemes())) {
    return Failure{FailureReason::kCertificateSchemeRefused, 0, "", {}};
  }
  return std::nullopt;
}

}  // namespace

std::optional<Failure> WhyNotSent(SSL* ssl, const HandshakeLog& log,
                                  const Credential& credential) {
  const ErrorMark mark;
  if (!LookWhyNotSent(ssl, log, credential)) return std::nullopt;
  // OpenSSL's "no" may be for want of memory, and it does not say so: another
  // credential must not be taken for that.
  return LookWhyNotSent(ssl, log, credential);
}

}  // namespace tls_client_cert
