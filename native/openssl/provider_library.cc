#include "provider_library.h"

#include <openssl/crypto.h>
#include <openssl/err.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace tls_client_cert {

std::vector<ErrorRecord> TakeProviderErrors(BytesView secret) {
  std::vector<ErrorRecord> records;
  // No copy of it may stay behind in freed memory.
  const auto tells = [&](const char* words) {
    const char* end = words + std::strlen(words);
    return secret.size > 0 && std::search(words, end, secret.chars(),
                                          secret.chars() + secret.size) != end;
  };
  const char* data = nullptr;
  int flags = 0;
  while (const unsigned long code =  // NOLINT: OpenSSL's own type
         ERR_get_error_all(nullptr, nullptr, nullptr, &data, &flags)) {
    ErrorRecord record;
    record.code = code;
    char text[256];
    ERR_error_string_n(code, text, sizeof(text));
    record.text = text;
    if (const char* library = ERR_lib_error_string(code)) {
      record.library = library;
    }
    if (const char* reason = ERR_reason_error_string(code)) {
      record.reason = reason;
    }
    const bool shown = (flags & ERR_TXT_STRING) != 0 && !tells(data);
    std::string words = shown ? data : "";
    // What stands in a line is to stay in it.
    std::replace_if(
        words.begin(), words.end(),
        [](char c) { return static_cast<unsigned char>(c) < ' '; }, ' ');
    if (!words.empty()) record.text += ": " + words;
    records.push_back(std::move(record));
  }
  return records;
}

Result<std::shared_ptr<ProviderLibrary>> ProviderLibrary::Load(
    const std::vector<std::string>& names) {
  ErrorStack errors;
  std::shared_ptr<ProviderLibrary> library(new ProviderLibrary);
  // Not from openssl.cnf: what it sets up is meant for the process.
  library->context_ = OSSL_LIB_CTX_new();
  if (library->context_ == nullptr) {
    return TakeFailure(FailureReason::kInternal);
  }
  const auto load = [&](const char* name) {
    OSSL_PROVIDER* provider = OSSL_PROVIDER_load(library->context_, name);
    if (provider != nullptr) library->providers_.push_back(provider);
    return provider != nullptr;
  };
  // An explicit load turns off the fallback to it.
  if (!load("default")) {
    return TakeFailure(FailureReason::kInternal);
  }
  for (size_t i = 0; i < names.size(); i++) {
    if (!load(names[i].c_str())) {
      // What the dynamic linker said stands beside the error, not in it.
      const char* words = nullptr;
      int flags = 0;
      ERR_peek_error_data(&words, &flags);
      const bool said = words != nullptr && (flags & ERR_TXT_STRING) != 0;
      return UnlessOutOfMemory({FailureReason::kStoreProvider,
                                static_cast<int>(i), said ? words : "",
                                TakeProviderErrors()});
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
