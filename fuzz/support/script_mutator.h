// Mutation of inputs that are a head and a list of entries of one size.
#ifndef TLS_CLIENT_CERT_FUZZ_SCRIPT_MUTATOR_H_
#define TLS_CLIENT_CERT_FUZZ_SCRIPT_MUTATOR_H_

#include <cstddef>
#include <cstdint>

namespace tls_client_cert::fuzz {

// The body of LLVMFuzzerCustomMutator: whole entries come, go, change places
// and change, so that what follows one stays what it was. Returns the new size.
size_t MutateScript(uint8_t* data, size_t size, size_t max_size, unsigned seed,
                    size_t head, size_t entry);

}  // namespace tls_client_cert::fuzz

#endif  // TLS_CLIENT_CERT_FUZZ_SCRIPT_MUTATOR_H_
