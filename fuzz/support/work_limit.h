// Whoever hands in a key may have its passphrase hashed two thousand million
// times, and gets what was asked for. A fuzzer would wait for it.
#ifndef TLS_CLIENT_CERT_FUZZ_WORK_LIMIT_H_
#define TLS_CLIENT_CERT_FUZZ_WORK_LIMIT_H_

#include "bytes.h"

namespace tls_client_cert::fuzz {

// Whether DER, or what PEM holds, might have such a count in it.
bool AsksForMuchWork(BytesView bytes);

}  // namespace tls_client_cert::fuzz

#endif  // TLS_CLIENT_CERT_FUZZ_WORK_LIMIT_H_
