#include "store.h"

#include <openssl/err.h>
#include <openssl/store.h>
#include <openssl/storeerr.h>
#include <openssl/ui.h>

#include <algorithm>
#include <utility>

#include "certificate_reader.h"
#include "passphrase.h"

namespace tls_client_cert {

namespace {

void CloseStore(OSSL_STORE_CTX* store) { OSSL_STORE_close(store); }

using StorePointer =
    std::unique_ptr<OSSL_STORE_CTX, Freer<OSSL_STORE_CTX, CloseStore>>;
using StoreInfoPointer =
    std::unique_ptr<OSSL_STORE_INFO,
                    Freer<OSSL_STORE_INFO, OSSL_STORE_INFO_free>>;
using UiMethodPointer =
    std::unique_ptr<UI_METHOD, Freer<UI_METHOD, UI_destroy_method>>;

bool Is(const ErrorRecord& error, int library, int reason) {
  return ERR_GET_LIB(error.code) == library &&
         ERR_GET_REASON(error.code) == reason;
}

bool IsUnregisteredScheme(const ErrorRecord& error) {
  return Is(error, ERR_LIB_OSSL_STORE, OSSL_STORE_R_UNREGISTERED_SCHEME);
}

// No decoder takes it for anything.
bool IsUnsupportedContent(const ErrorRecord& error) {
  return Is(error, ERR_LIB_OSSL_STORE, ERR_R_UNSUPPORTED);
}

// Out of the error queue.
Failure Unreadable(const PassphrasePrompt& prompt) {
  Failure failure{FailureReason::kStoreUnreadable, 0, "",
                  TakeProviderErrors(prompt.passphrase->value_or(BytesView()))};
  if (prompt.asked) {
    failure.reason = prompt.passphrase->has_value()
                         ? FailureReason::kStorePassphraseWrong
                         : FailureReason::kStorePassphraseMissing;
  }
  return UnlessOutOfMemory(std::move(failure));
}

Failure NotLoaded(const PassphrasePrompt& prompt) {
  Failure failure = Unreadable(prompt);
  if (failure.reason == FailureReason::kInternal) return failure;
  const auto has = [&](bool (*is)(const ErrorRecord&)) {
    return std::any_of(failure.stack.begin(), failure.stack.end(), is);
  };
  if (failure.reason == FailureReason::kStorePassphraseMissing) return failure;
  if (has(IsUnsupportedAlgorithm)) {
    // The passphrase may be right: it has opened nothing yet.
    failure.reason = FailureReason::kStoreUnreadable;
    failure.detail = "algorithm";
  } else if (!prompt.asked && has(IsUnsupportedContent)) {
    failure.detail = "content";
  }
  return failure;
}

Failure NotOpened(const PassphrasePrompt& prompt) {
  // The last word on a scheme that no provider has; each that was tried in
  // vain, `file` among them, has left its own before.
  const bool unknown =
      ErrorStack::LastIs(ERR_LIB_OSSL_STORE, ERR_R_UNSUPPORTED);
  Failure failure = Unreadable(prompt);
  if (failure.reason == FailureReason::kInternal) return failure;
  if (unknown) failure.reason = FailureReason::kStoreScheme;
  // OpenSSL 3.0 says so of each scheme that is a provider's, and opens it.
  auto& stack = failure.stack;
  if (stack.size() > 1 && IsUnregisteredScheme(stack.front())) {
    stack.erase(stack.begin());
  }
  return failure;
}

}  // namespace

Result<StoreContents> OpenStore(const StoreInput& input) {
  auto loaded = ProviderLibrary::Load(input.providers);
  if (!loaded.ok()) return loaded.failure();
  const std::shared_ptr<ProviderLibrary> library = std::move(loaded.value());
  // Outside of the lock, which each key takes when it is freed.
  StoreContents contents;
  const ProviderLibrary::Use use(library.get());
  PassphrasePrompt prompt{&input.passphrase};
  const UiMethodPointer prompter(
      UI_UTIL_wrap_read_pem_callback(GivePassphrase, 0));
  if (!prompter) {
    return TakeFailure(FailureReason::kInternal);
  }
  const char* query =
      input.property_query.empty() ? nullptr : input.property_query.c_str();
  const StorePointer store(
      OSSL_STORE_open_ex(input.uri.c_str(), library->context(), query,
                         prompter.get(), &prompt, nullptr, nullptr, nullptr));
  if (!store) return NotOpened(prompt);
  while (OSSL_STORE_eof(store.get()) == 0) {
    ERR_clear_error();
    const StoreInfoPointer info(OSSL_STORE_load(store.get()));
    if (!info) {
      // OSSL_STORE_error(3) is no help: a file's end is an error by it, and a
      // key that a TPM does not have is none.
      if (ERR_peek_error() != 0) return NotLoaded(prompt);
      break;
    }
    switch (OSSL_STORE_INFO_get_type(info.get())) {
      case OSSL_STORE_INFO_CERT: {
        auto der = EncodeCertificate(OSSL_STORE_INFO_get0_CERT(info.get()));
        if (!der) return TakeFailure(FailureReason::kInternal);
        contents.certificates.push_back(std::move(*der));
        break;
      }
      case OSSL_STORE_INFO_PKEY: {
        auto key = StoreKey::Create(
            library, EvpPkeyPointer(OSSL_STORE_INFO_get1_PKEY(info.get())),
            input.property_query);
        if (!key.ok()) return key.failure();
        contents.keys.push_back(std::move(key.value()));
        break;
      }
      default:
        break;
    }
  }
  return contents;
}

}  // namespace tls_client_cert
