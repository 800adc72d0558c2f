// A connection in which a CertificateRequest of any content comes.
#ifndef TLS_CLIENT_CERT_FUZZ_ASKED_FOR_H_
#define TLS_CLIENT_CERT_FUZZ_ASKED_FOR_H_

#include "parts.h"

namespace tls_client_cert::fuzz {

// The mode says in which version and phase. The first two parts are lists of
// schemes, or of types; all others are names. Or the first is a whole body.
void AskFor(const Parts& parts);

}  // namespace tls_client_cert::fuzz

#endif  // TLS_CLIENT_CERT_FUZZ_ASKED_FOR_H_
