// The same input has to lead to the same execution: neither chance nor time.
#ifndef TLS_CLIENT_CERT_FUZZ_DETERMINISM_H_
#define TLS_CLIENT_CERT_FUZZ_DETERMINISM_H_

#include <cstdint>

namespace tls_client_cert::fuzz {

// OpenSSL's random numbers are ours from now on. Nothing is secret here.
void UseOwnRandomNumbers();

// They begin anew, as everybody's who begins with `seed`.
void SeedRandomNumbers(uint64_t seed);

// Goes on where another row of numbers was left. Returns where this one is.
uint64_t ExchangeRandomState(uint64_t state);

}  // namespace tls_client_cert::fuzz

#endif  // TLS_CLIENT_CERT_FUZZ_DETERMINISM_H_
