#include "provider_library.h"

#include <openssl/crypto.h>
#include <openssl/err.h>

#include <utility>

namespace tls_client_cert {

Result<std::shared_ptr<ProviderLibrary>> ProviderLibrary::Load(
    const std::vector<std::string>& names) {
  ErrorStack errors;
  std::shared_ptr<ProviderLibrary> library(new ProviderLibrary);
  // Not from openssl.cnf: what it sets up is meant for the process.
  library->context_ = OSSL_LIB_CTX_new();
  if (library->context_ == nullptr) {
    return Failure{FailureReason::kInternal, 0, "", ErrorStack::Take()};
  }
  const auto load = [&](const char* name) {
    OSSL_PROVIDER* provider = OSSL_PROVIDER_load(library->context_, name);
    if (provider != nullptr) library->providers_.push_back(provider);
    return provider != nullptr;
  };
  // An explicit load turns off the fallback to it.
  if (!load("default")) {
    return Failure{FailureReason::kInternal, 0, "", ErrorStack::Take()};
  }
  for (size_t i = 0; i < names.size(); i++) {
    if (!load(names[i].c_str())) {
      // What the dynamic linker said stands beside the error, not in it.
      const char* words = nullptr;
      int flags = 0;
      ERR_peek_error_data(&words, &flags);
      const bool said = words != nullptr && (flags & ERR_TXT_STRING) != 0;
      return Failure{FailureReason::kStoreProvider, static_cast<int>(i),
                     said ? words : "", ErrorStack::Take()};
    }
  }
  return library;
}

ProviderLibrary::~ProviderLibrary() {
  // For OpenSSL null would be the whole process's.
  if (context_ == nullptr) return;
  ErrorStack errors;
  for (auto provider = providers_.rbegin(); provider != providers_.rend();
       ++provider) {
    OSSL_PROVIDER_unload(*provider);
  }
  OPENSSL_thread_stop_ex(context_);
  OSSL_LIB_CTX_free(context_);
}

ProviderLibrary::Use::Use(ProviderLibrary* library)
    : library_(library), lock_(library->mutex_) {}

ProviderLibrary::Use::~Use() {
  // What OpenSSL keeps for this thread points into the context, and is looked
  // at when the thread ends, long after the context may have gone.
  OPENSSL_thread_stop_ex(library_->context_);
}

}  // namespace tls_client_cert
