#include "digest.h"

#include <openssl/evp.h>

namespace tls_client_cert {

Bytes Sha256(const std::vector<BytesView>& inputs) {
  Bytes digest(EVP_MAX_MD_SIZE);
  unsigned size = 0;
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  bool ok = context != nullptr &&
            EVP_DigestInit_ex(context, EVP_sha256(), nullptr) == 1;
  for (const BytesView& input : inputs) {
    // The length in front keeps ["ab", "c"] apart from ["a", "bc"].
    const uint64_t length = input.size;
    ok = ok && EVP_DigestUpdate(context, &length, sizeof(length)) == 1 &&
         EVP_DigestUpdate(context, input.data, input.size) == 1;
  }
  ok = ok && EVP_DigestFinal_ex(context, digest.data(), &size) == 1;
  EVP_MD_CTX_free(context);
  digest.resize(ok ? size : 0);
  return digest;
}

}  // namespace tls_client_cert
