// What a target is to the fuzzer and to the replay.
#ifndef TLS_CLIENT_CERT_FUZZ_TARGET_H_
#define TLS_CLIENT_CERT_FUZZ_TARGET_H_

#include "bytes.h"

namespace tls_client_cert::fuzz {

// Each target has its own. Nothing may be left of it but OpenSSL's errors.
void Execute(BytesView input);

}  // namespace tls_client_cert::fuzz

#endif  // TLS_CLIENT_CERT_FUZZ_TARGET_H_
