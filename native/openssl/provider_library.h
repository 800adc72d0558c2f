// A library context of OpenSSL's with providers of its own, apart from the one
// that all the rest of the process uses.
#ifndef TLS_CLIENT_CERT_OPENSSL_PROVIDER_LIBRARY_H_
#define TLS_CLIENT_CERT_OPENSSL_PROVIDER_LIBRARY_H_

#include <openssl/provider.h>
#include <openssl/types.h>

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "bytes.h"
#include "error_stack.h"
#include "failure.h"

namespace tls_client_cert {

// ErrorStack::Take(), with what stands beside each entry at the end of its
// text: all that a provider has to say is there. Not what holds `secret`.
std::vector<ErrorRecord> TakeProviderErrors(BytesView secret = {});

class ProviderLibrary {
 public:
  // The default provider and `names`: what OpenSSL finds in its folder of
  // modules, or the absolute paths of modules.
  static Result<std::shared_ptr<ProviderLibrary>> Load(
      const std::vector<std::string>& names);

  ~ProviderLibrary();
  ProviderLibrary(const ProviderLibrary&) = delete;
  ProviderLibrary& operator=(const ProviderLibrary&) = delete;

  OSSL_LIB_CTX* context() const { return context_; }

  // Whatever is done with the library or its objects, freeing them included,
  // is done while one of these lives: not every provider is thread-safe.
  class Use {
   public:
    explicit Use(ProviderLibrary* library);
    ~Use();
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;

   private:
    ProviderLibrary* library_;
    std::lock_guard<std::mutex> lock_;
    ErrorStack errors_;
  };

 private:
  ProviderLibrary() = default;

  OSSL_LIB_CTX* context_ = nullptr;
  std::vector<OSSL_PROVIDER*> providers_;
  std::mutex mutex_;
};

}  // namespace tls_client_cert

#endif  // TLS_CLIENT_CERT_OPENSSL_PROVIDER_LIBRARY_H_
