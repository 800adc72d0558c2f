// SSL_CTX_set_msg_callback(3) shows a message where OpenSSL has it: within a
// larger buffer, whose end nobody would run into. These stand in for libssl's
// functions of the same names, and let a client see a copy that is as long as
// the message.
#include <openssl/ssl.h>

#include <algorithm>
#include <memory>

#include "require.h"

namespace {

using Callback = void (*)(int, int, int, const void*, size_t, SSL*, void*);
using AnyFunction = void (*)(void);

// Of an SSL's own, or of its SSL_CTX.
int Index(int of) {
  static const int indices[] = {
      CRYPTO_get_ex_new_index(CRYPTO_EX_INDEX_SSL_CTX, 0, nullptr, nullptr,
                              nullptr, nullptr),
      CRYPTO_get_ex_new_index(CRYPTO_EX_INDEX_SSL, 0, nullptr, nullptr, nullptr,
                              nullptr)};
  REQUIRE(indices[of] >= 0);
  return indices[of];
}

void ShowCopy(int outgoing, int version, int type, const void* message,
              size_t size, SSL* ssl, void* argument) {
  void* callback = SSL_get_ex_data(ssl, Index(1));
  if (callback == nullptr) {
    callback = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), Index(0));
  }
  const auto show = reinterpret_cast<Callback>(callback);
  if (SSL_is_server(ssl) == 1) {
    return show(outgoing, version, type, message, size, ssl, argument);
  }
  const std::unique_ptr<uint8_t[]> copy(new uint8_t[size]);
  std::copy_n(static_cast<const uint8_t*>(message), size, copy.get());
  show(outgoing, version, type, copy.get(), size, ssl, argument);
}

}  // namespace

extern "C" void SSL_CTX_set_msg_callback(SSL_CTX* ctx, Callback callback) {
  REQUIRE(SSL_CTX_set_ex_data(ctx, Index(0),
                              reinterpret_cast<void*>(callback)) == 1);
  SSL_CTX_callback_ctrl(ctx, SSL_CTRL_SET_MSG_CALLBACK,
                        reinterpret_cast<AnyFunction>(ShowCopy));
}

extern "C" void SSL_set_msg_callback(SSL* ssl, Callback callback) {
  REQUIRE(SSL_set_ex_data(ssl, Index(1), reinterpret_cast<void*>(callback)) ==
          1);
  SSL_callback_ctrl(ssl, SSL_CTRL_SET_MSG_CALLBACK,
                    reinterpret_cast<AnyFunction>(ShowCopy));
}
