#ifndef TLS_CLIENT_CERT_BINDING_CONNECTION_WRAP_H_
#define TLS_CLIENT_CERT_BINDING_CONNECTION_WRAP_H_

#include <napi.h>

#include <memory>

#include "../openssl/connection.h"
#include "wrap.h"

namespace tls_client_cert {

class SocketTransportWrap;

class ConnectionWrap : public Wrap<ConnectionWrap> {
 public:
  static constexpr const char* kName = "Connection";
  static constexpr uint64_t kTag = 4;
  static constexpr auto kLive = &LiveCounts::connections;

  static Napi::Function Define(Napi::Env env);

  // new Connection(context, options): see lib/binding.ts.
  explicit ConnectionWrap(const Napi::CallbackInfo& info);
  ~ConnectionWrap() override;

  // Null once destroyed.
  Connection* connection() { return connection_.get(); }
  // Where ciphertext comes from and goes to; null where it is fed and drained.
  SocketTransportWrap* socket() { return socket_; }
  void set_socket(SocketTransportWrap* socket) { socket_ = socket; }

 private:
  // Every method but destroy() goes through this: after destroy() each is a
  // plain error, whatever its own body would have touched.
  template <Napi::Value (ConnectionWrap::*Method)(const Napi::CallbackInfo&)>
  Napi::Value IfAlive(const Napi::CallbackInfo& info);
  template <Napi::Value (ConnectionWrap::*Method)(const Napi::CallbackInfo&)>
  static Napi::ClassPropertyDescriptor<ConnectionWrap> ExposeAlive(
      const char* name) {
    return Expose<&ConnectionWrap::IfAlive<Method>>(name);
  }

  Napi::Value Receive(const Napi::CallbackInfo& info);
  Napi::Value ReceiveEnd(const Napi::CallbackInfo& info);
  Napi::Value Unread(const Napi::CallbackInfo& info);
  Napi::Value ClosedByPeer(const Napi::CallbackInfo& info);
  Napi::Value Drain(const Napi::CallbackInfo& info);
  Napi::Value SetUnsentAnswers(const Napi::CallbackInfo& info);

  Napi::Value Handshake(const Napi::CallbackInfo& info);
  Napi::Value Read(const Napi::CallbackInfo& info);
  Napi::Value Write(const Napi::CallbackInfo& info);
  Napi::Value Shutdown(const Napi::CallbackInfo& info);
  Napi::Value Renegotiate(const Napi::CallbackInfo& info);
  Napi::Value DisableRenegotiation(const Napi::CallbackInfo& info);

  Napi::Value ServerChainError(const Napi::CallbackInfo& info);
  Napi::Value AcceptServer(const Napi::CallbackInfo& info);
  Napi::Value RefuseServer(const Napi::CallbackInfo& info);

  Napi::Value Request(const Napi::CallbackInfo& info);
  Napi::Value WhyNotSent(const Napi::CallbackInfo& info);
  Napi::Value Answer(const Napi::CallbackInfo& info);
  Napi::Value Decline(const Napi::CallbackInfo& info);
  Napi::Value AskAgain(const Napi::CallbackInfo& info);
  Napi::Value SignatureWanted(const Napi::CallbackInfo& info);
  Napi::Value Sign(const Napi::CallbackInfo& info);
  Napi::Value OcspResponse(const Napi::CallbackInfo& info);
  void CheckSharedKeyWanted(Napi::Env env) const;
  Napi::Value SharedKeyWanted(const Napi::CallbackInfo& info);
  Napi::Value AnswerSharedKey(const Napi::CallbackInfo& info);
  Napi::Value BySharedKey(const Napi::CallbackInfo& info);
  Napi::Value LogKeys(const Napi::CallbackInfo& info);
  Napi::Value TakeKeyLines(const Napi::CallbackInfo& info);
  Napi::Value Trace(const Napi::CallbackInfo& info);
  Napi::Value TakeTrace(const Napi::CallbackInfo& info);
  Napi::Value SetMaxSendFragment(const Napi::CallbackInfo& info);
  Napi::Value Abandon(const Napi::CallbackInfo& info);

  Napi::Value TakeSession(const Napi::CallbackInfo& info);
  Napi::Value Session(const Napi::CallbackInfo& info);
  Napi::Value SessionReused(const Napi::CallbackInfo& info);

  Napi::Value GetFailure(const Napi::CallbackInfo& info);
  Napi::Value ClientAuth(const Napi::CallbackInfo& info);
  Napi::Value Protocol(const Napi::CallbackInfo& info);
  Napi::Value Cipher(const Napi::CallbackInfo& info);
  Napi::Value AlpnProtocol(const Napi::CallbackInfo& info);
  Napi::Value EphemeralKeyInfo(const Napi::CallbackInfo& info);
  Napi::Value SharedAlgorithms(const Napi::CallbackInfo& info);
  Napi::Value Finished(const Napi::CallbackInfo& info);
  Napi::Value Ticket(const Napi::CallbackInfo& info);
  Napi::Value KeyingMaterial(const Napi::CallbackInfo& info);
  Napi::Value PeerCertificates(const Napi::CallbackInfo& info);
  Napi::Value VerifiedCertificates(const Napi::CallbackInfo& info);

  Napi::Value Destroy(const Napi::CallbackInfo& info);
  void Release(Napi::Env env);

  std::unique_ptr<Connection> connection_;
  SocketTransportWrap* socket_ = nullptr;
};

}  // namespace tls_client_cert

#endif  // TLS_CLIENT_CERT_BINDING_CONNECTION_WRAP_H_
