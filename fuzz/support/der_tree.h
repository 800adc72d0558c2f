// DER as a tree, so that a change within it leaves all lengths around it right.
#ifndef TLS_CLIENT_CERT_FUZZ_DER_TREE_H_
#define TLS_CLIENT_CERT_FUZZ_DER_TREE_H_

#include <functional>

#include "bytes.h"

namespace tls_client_cert::fuzz {

// Changes one element; `mutate` is for what is no structure. What is no DER is
// handed to `mutate` as a whole.
Bytes MutateDer(const Bytes& der, unsigned seed,
                const std::function<Bytes(Bytes)>& mutate);

}  // namespace tls_client_cert::fuzz

#endif  // TLS_CLIENT_CERT_FUZZ_DER_TREE_H_
