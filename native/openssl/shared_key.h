// A key shared with the server in advance (PSK), which is asked for when the
// handshake needs it: while it waits on a fibre of OpenSSL's.
#ifndef TLS_CLIENT_CERT_OPENSSL_SHARED_KEY_H_
#define TLS_CLIENT_CERT_OPENSSL_SHARED_KEY_H_

#include <optional>
#include <string>
#include <utility>

#include "bytes.h"

namespace tls_client_cert {

class SharedKey {
 public:
  enum class State { kIdle, kAsked, kAnswered, kRefused };

  SharedKey() = default;
  SharedKey(const SharedKey&) = delete;
  SharedKey& operator=(const SharedKey&) = delete;

  State state() const { return state_; }
  bool has_key() const { return !key_.empty(); }

  // While kAsked: what the server said to help choosing, if anything; and how
  // long, in bytes, either may be.
  const std::optional<std::string>& hint() const { return hint_; }
  size_t max_identity() const { return max_identity_; }
  size_t max_key() const { return max_key_; }

  // The two ways on from kAsked; the job has to be resumed then. What is too
  // long, or no C string, is refused.
  void Answer(std::string identity, BytesView key);
  void Refuse();

  // No handshake will need the key any more.
  void Forget();

  // The body of SSL_psk_client_cb_func: on the fibre it waits for one of the
  // two; anywhere else (a renegotiation) it repeats the answer to this hint.
  // `identity_size` counts the terminating zero. 0: none.
  unsigned Await(const char* hint, char* identity, unsigned identity_size,
                 unsigned char* key, unsigned key_size);

 private:
  State state_ = State::kIdle;
  std::optional<std::string> hint_;
  size_t max_identity_ = 0;
  size_t max_key_ = 0;
  std::string identity_;
  SecretBytes key_;
};

}  // namespace tls_client_cert

#endif  // TLS_CLIENT_CERT_OPENSSL_SHARED_KEY_H_
