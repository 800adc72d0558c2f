// What a server asked for, read out of an SSL.
#ifndef TLS_CLIENT_CERT_OPENSSL_CERTIFICATE_REQUEST_H_
#define TLS_CLIENT_CERT_OPENSSL_CERTIFICATE_REQUEST_H_

#include <string>
#include <vector>

#include "bytes.h"
#include "credential.h"
#include "failure.h"
#include "handshake_log.h"
#include "pointers.h"
#include "signature_scheme.h"

namespace tls_client_cert {

enum class RequestPhase { kHandshake, kRenegotiation, kPostHandshake };

struct CertificateRequest {
  RequestPhase phase = RequestPhase::kHandshake;
  std::vector<Bytes> authorities;  // DER names; empty: any authority will do
  std::vector<SignatureScheme> signature_schemes;
  std::vector<uint8_t> certificate_types;  // empty on TLS 1.3
};

CertificateRequest ReadCertificateRequest(SSL* ssl, RequestPhase phase);

// Why OpenSSL would send an empty Certificate in place of this credential, or
// refuse to load it; nothing when it would be sent.
std::optional<Failure> WhyNotSent(SSL* ssl, const HandshakeLog& log,
                                  const Credential& credential);

struct SchemeChoice {
  SignatureScheme scheme = 0;   // 0: there is none
  SignatureScheme instead = 0;  // what OpenSSL would take, undeclared; or 0
};

// Under which scheme `credential` is to sign: the first in common which OpenSSL
// can be brought to take, by what an external key says that it can do. OpenSSL
// asks a key only for digests, and whether it is long enough for RSA-PSS.
SchemeChoice ChooseScheme(SSL* ssl, const Credential& credential);

}  // namespace tls_client_cert

#endif  // TLS_CLIENT_CERT_OPENSSL_CERTIFICATE_REQUEST_H_
