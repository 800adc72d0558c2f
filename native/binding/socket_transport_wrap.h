#ifndef TLS_CLIENT_CERT_BINDING_SOCKET_TRANSPORT_WRAP_H_
#define TLS_CLIENT_CERT_BINDING_SOCKET_TRANSPORT_WRAP_H_

#include <napi.h>

#include <cstdint>
#include <memory>

#include "../openssl/connection.h"
#include "poll_handles.h"
#include "wrap.h"

namespace tls_client_cert {

class ConnectionWrap;

// Ciphertext between a socket's descriptor and a connection's queues, without
// a detour through JavaScript.
class SocketTransportWrap : public Wrap<SocketTransportWrap>,
                            public PollHandle::Owner {
 public:
  static constexpr const char* kName = "SocketTransport";
  static constexpr uint64_t kTag = 6;
  static constexpr auto kLive = &LiveCounts::socket_transports;

  static Napi::Function Define(Napi::Env env);

  // new SocketTransport(connection, options, onEvent): see lib/binding.ts.
  explicit SocketTransportWrap(const Napi::CallbackInfo& info);
  ~SocketTransportWrap() override;

  // As of Connection, but that what the socket has is received meanwhile.
  Step Handshake();
  Transfer Read(uint8_t* plaintext, size_t size);
  // Encrypts, and sends what it led to.
  Transfer Write(BytesView plaintext);

  // Whether Flush has something to say.
  bool has_output() const {
    return send_error_ != 0 || !connection_->outgoing().empty();
  }

  // The connection is freed.
  void Detach();

  void OnPoll(int status, int events) override;
  void OnTornDown() override;

 private:
  // What the JavaScript side is told of: lib/binding.ts has the same.
  enum Event : int { kReadable = 1, kSent = 2, kHungUp = 4 };

  Napi::Value Flush(const Napi::CallbackInfo& info);
  Napi::Value Receive(const Napi::CallbackInfo& info);
  Napi::Value Shutdown(const Napi::CallbackInfo& info);
  Napi::Value Address(const Napi::CallbackInfo& info);
  Napi::Value SetNoDelay(const Napi::CallbackInfo& info);
  Napi::Value SetKeepAlive(const Napi::CallbackInfo& info);
  Napi::Value RefHandle(const Napi::CallbackInfo& info);
  Napi::Value UnrefHandle(const Napi::CallbackInfo& info);
  Napi::Value CloseHandle(const Napi::CallbackInfo& info);

  void SetOption(int level, int name, int value);
  bool ReceiveSome(size_t size);
  // Whether all was sent.
  bool Send();
  void Watch();
  void Tell(int event);

  ConnectionWrap* owner_ = nullptr;
  Connection* connection_ = nullptr;
  std::shared_ptr<PollHandles> handles_;
  std::shared_ptr<SpareStorage> spare_;
  PollHandle* handle_ = nullptr;
  Napi::FunctionReference on_event_;
  napi_async_context context_ = nullptr;
  size_t limit_ = 0;
  // There may be something to receive: it was polled, and the last word was
  // not "try again".
  bool readable_ = false;
  bool hung_up_ = false;  // the peer sends no more, behind what is there
  bool ended_ = false;    // and all of it was received
  bool sending_ = false;  // the socket takes no more for now
  int receive_error_ = 0;
  int send_error_ = 0;
  // What sending failed of. The kernel tells of a reset once, and receiving
  // would take it for an end.
  int lost_ = 0;
};

}  // namespace tls_client_cert

#endif  // TLS_CLIENT_CERT_BINDING_SOCKET_TRANSPORT_WRAP_H_
