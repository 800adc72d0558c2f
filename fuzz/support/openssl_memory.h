// Memory for OpenSSL, which asks for thousands of pieces in a handshake: that
// is half of its cost where AddressSanitizer hands them out. What is free and
// what is between the pieces is poisoned here as well, so that our code, which
// alone is instrumented, is caught at it.
#ifndef TLS_CLIENT_CERT_FUZZ_OPENSSL_MEMORY_H_
#define TLS_CLIENT_CERT_FUZZ_OPENSSL_MEMORY_H_

#include <functional>

namespace tls_client_cert::fuzz {

// Before OpenSSL has any. Only where the build says so (TCC_OWN_MEMORY): to see
// where a leak or a stray pointer came from, replay without.
void UseOwnMemory();

// Ends the process when `execute` leaves pieces behind each time it is called.
// What it leaves at first may be in a cache.
void LeavingNothing(const std::function<void()>& execute);

}  // namespace tls_client_cert::fuzz

#endif  // TLS_CLIENT_CERT_FUZZ_OPENSSL_MEMORY_H_
