#include "store.h"

#include <openssl/err.h>
#include <openssl/store.h>
#include <openssl/storeerr.h>
#include <openssl/ui.h>

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

bool IsUnregisteredScheme(const ErrorRecord& error) {
  return ERR_GET_LIB(error.code) == ERR_LIB_OSSL_STORE &&
         ERR_GET_REASON(error.code) == OSSL_STORE_R_UNREGISTERED_SCHEME;
}

// Out of the error queue.
Failure Unreadable(const PassphrasePrompt& prompt) {
  Failure failure{FailureReason::kStoreUnreadable, 0, "", ErrorStack::Take()};
  if (prompt.asked) {
    failure.reason = prompt.passphrase->has_value()
                         ? FailureReason::kStorePassphraseWrong
                         : FailureReason::kStorePassphraseMissing;
  }
  return failure;
}

Failure NotOpened(const PassphrasePrompt& prompt) {
  // The last word on a scheme that no provider has; each that was tried in
  // vain, `file` among them, has left its own before.
  const bool unknown =
      ErrorStack::LastIs(ERR_LIB_OSSL_STORE, ERR_R_UNSUPPORTED);
  Failure failure = Unreadable(prompt);
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
    return Failure{FailureReason::kInternal, 0, "", ErrorStack::Take()};
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
      if (ERR_peek_error() != 0) return Unreadable(prompt);
      break;
    }
    switch (OSSL_STORE_INFO_get_type(info.get())) {
      case OSSL_STORE_INFO_CERT: {
        auto der = EncodeCertificate(OSSL_STORE_INFO_get0_CERT(info.get()));
        if (der) contents.certificates.push_back(std::move(*der));
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
