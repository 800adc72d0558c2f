#include "socket_transport_wrap.h"

#ifndef _WIN32
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#endif

#include <cerrno>
#include <cstring>

#include "connection_wrap.h"
#include "convert.h"

namespace tls_client_cert {

namespace {

// The largest TLS record holds so much plaintext.
constexpr size_t kRecord = 16 * 1024;
constexpr size_t kReceived = 64 * 1024;

#ifdef MSG_NOSIGNAL
constexpr int kSendFlags = MSG_NOSIGNAL;
#else
constexpr int kSendFlags = 0;
#endif

bool IsTryAgain(int error) { return error == EAGAIN || error == EWOULDBLOCK; }

}  // namespace

Napi::Function SocketTransportWrap::Define(Napi::Env env) {
  using Self = SocketTransportWrap;
  return DefineClass(env, kName,
                     {
                         Expose<&Self::Flush>("flush"),
                         Expose<&Self::Receive>("receive"),
                         Expose<&Self::Shutdown>("shutdown"),
                         Expose<&Self::Address>("address"),
                         Expose<&Self::SetNoDelay>("setNoDelay"),
                         Expose<&Self::SetKeepAlive>("setKeepAlive"),
                         Expose<&Self::RefHandle>("ref"),
                         Expose<&Self::UnrefHandle>("unref"),
                         Expose<&Self::CloseHandle>("close"),
                     });
}

SocketTransportWrap::SocketTransportWrap(const Napi::CallbackInfo& info)
    : Wrap(info) {
  const Napi::Env env = info.Env();
  ConnectionWrap* owner = ConnectionWrap::From(env, info[0]);
  const Napi::Object options = info[1].ToObject();
  // Before the loop and the connection know of what may not come to be.
  if (!info[2].IsFunction()) {
    throw Napi::TypeError::New(env, "onEvent must be a function");
  }
  on_event_ = Napi::Persistent(info[2].As<Napi::Function>());
  const Environment* environment = Environment::Get(env);
  spare_ = environment->spare;
  handles_ = environment->poll_handles;
  limit_ = static_cast<size_t>(ToInt(options.Get("limit")));
  if (owner->connection() == nullptr || owner->socket() != nullptr) {
    throw Napi::Error::New(env, "the connection is destroyed, or has a socket");
  }
  handle_ = handles_->Open(env, ToInt(options.Get("descriptor")), this);
  if (handle_ == nullptr) {
    throw Napi::Error::New(env, "the descriptor cannot be polled");
  }
  owner_ = owner;
  connection_ = owner->connection();
  owner->set_socket(this);
  napi_async_init(env, info.This(),
                  Napi::String::New(env, "TLSCLIENTCERTSOCKET"), &context_);
  // Until it is closed: the event loop has it.
  Ref();
  Watch();
}

SocketTransportWrap::~SocketTransportWrap() {
  if (handle_ != nullptr) handles_->Close(handle_);
  if (owner_ != nullptr) owner_->set_socket(nullptr);
}

// ---- operations

Step SocketTransportWrap::Handshake() {
  Step step = connection_->Handshake();
  while (step == Step::kWantRead && connection_->unread() == 0) {
    connection_->incoming().Lend(&spare_->incoming);
    if (ReceiveSome(kRecord)) step = connection_->Handshake();
    connection_->incoming().Return(&spare_->incoming);
    if (!readable_) break;
  }
  Watch();
  return step;
}

Transfer SocketTransportWrap::Read(uint8_t* plaintext, size_t size) {
  Transfer total;
  connection_->incoming().Lend(&spare_->incoming);
  while (true) {
    const Transfer read = connection_->Read(plaintext + total.size,
                                            size - total.size, total.size > 0);
    total.size += read.size;
    total.step = total.size > 0 ? Step::kDone : read.step;
    total.exhausted = read.exhausted;
    // Received only if all that it can hold has room, so that it is decrypted
    // at once and nothing needs to be kept.
    const size_t room = size - total.size;
    if (!total.exhausted || connection_->unread() > 0) break;
    if (total.size > 0 && room < kRecord && readable_) {
      total.exhausted = false;
      break;
    }
    if (!ReceiveSome(room < kReceived ? room : kReceived)) break;
  }
  connection_->incoming().Return(&spare_->incoming);
  if (ended_ || receive_error_ != 0) total.exhausted = false;
  Watch();
  return total;
}

Transfer SocketTransportWrap::Write(BytesView plaintext) {
  connection_->outgoing().Lend(&spare_->outgoing);
  const Transfer written = connection_->Write(plaintext);
  // Once the socket has to be waited for, only the poll ends that.
  if (written.step == Step::kDone && !sending_) Send();
  connection_->outgoing().Return(&spare_->outgoing);
  Watch();
  return written;
}

// ---- the socket

#ifdef _WIN32

bool SocketTransportWrap::ReceiveSome(size_t) { return false; }
bool SocketTransportWrap::Send() { return false; }
Napi::Value SocketTransportWrap::Shutdown(const Napi::CallbackInfo& info) {
  return info.Env().Undefined();
}
Napi::Value SocketTransportWrap::Address(const Napi::CallbackInfo& info) {
  return info.Env().Undefined();
}
Napi::Value SocketTransportWrap::SetNoDelay(const Napi::CallbackInfo& info) {
  return info.Env().Undefined();
}
Napi::Value SocketTransportWrap::SetKeepAlive(const Napi::CallbackInfo& info) {
  return info.Env().Undefined();
}

#else

#ifdef TCP_KEEPIDLE
constexpr int kKeepIdle = TCP_KEEPIDLE;
#else
constexpr int kKeepIdle = TCP_KEEPALIVE;
#endif

// Whether anything came. The end and errors are told of by Receive.
bool SocketTransportWrap::ReceiveSome(size_t size) {
  if (!readable_ || handle_ == nullptr) return false;
  ByteQueue& incoming = connection_->incoming();
  ssize_t count = 0;
  do {
    count = recv(handle_->descriptor(), incoming.Room(size), size, 0);
  } while (count < 0 && errno == EINTR);
  // A short read leaves nothing behind; what comes later is polled for. But
  // when the peer has hung up its end is behind, which nobody polls for while
  // too much is unread.
  readable_ = count == static_cast<ssize_t>(size) || (count > 0 && hung_up_);
  if (count > 0) {
    incoming.Commit(static_cast<size_t>(count));
    return true;
  }
  if (count == 0 && lost_ == 0) {
    ended_ = true;
  } else if (count == 0) {
    receive_error_ = lost_;
  } else if (!IsTryAgain(errno)) {
    receive_error_ = errno;
  }
  return false;
}

bool SocketTransportWrap::Send() {
  ByteQueue& outgoing = connection_->outgoing();
  sending_ = false;
  while (!outgoing.empty() && handle_ != nullptr) {
    const ssize_t count = send(handle_->descriptor(), outgoing.data(),
                               outgoing.size(), kSendFlags);
    if (count >= 0) {
      outgoing.Drop(static_cast<size_t>(count));
    } else if (IsTryAgain(errno) || errno == ENOBUFS) {
      // Short of buffers it is no more lost than to libuv.
      sending_ = true;
      return false;
    } else if (errno != EINTR) {
      send_error_ = errno;
      lost_ = errno;
      outgoing.Clear();
      // Why it takes no more may have come, and not been polled for yet.
      readable_ = true;
    }
  }
  connection_->set_unsent_answers(0);
  return true;
}

// As net.Socket's address(), or of the peer's; undefined where there is none.
Napi::Value SocketTransportWrap::Address(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const bool of_peer = ToBool(info[0]);
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  auto* address = reinterpret_cast<sockaddr*>(&storage);
  if (handle_ == nullptr ||
      (of_peer ? getpeername(handle_->descriptor(), address, &size)
               : getsockname(handle_->descriptor(), address, &size)) != 0) {
    return env.Undefined();
  }
  char text[INET6_ADDRSTRLEN + 1 + UV_IF_NAMESIZE];
  in_port_t port = 0;
  const bool is_ipv6 = storage.ss_family == AF_INET6;
  if (is_ipv6) {
    const auto* ipv6 = reinterpret_cast<const sockaddr_in6*>(&storage);
    uv_ip6_name(ipv6, text, sizeof text);
    port = ipv6->sin6_port;
    // Link-local: it means nothing without the interface.
    size_t room = UV_IF_NAMESIZE;
    const size_t end = std::strlen(text);
    if (IN6_IS_ADDR_LINKLOCAL(&ipv6->sin6_addr) &&
        uv_if_indextoiid(ipv6->sin6_scope_id, text + end + 1, &room) == 0) {
      text[end] = '%';
    }
  } else if (storage.ss_family == AF_INET) {
    const auto* ipv4 = reinterpret_cast<const sockaddr_in*>(&storage);
    uv_ip4_name(ipv4, text, sizeof text);
    port = ipv4->sin_port;
  } else {
    return env.Undefined();
  }
  Napi::Object result = Napi::Object::New(env);
  result.Set("address", text);
  result.Set("family", is_ipv6 ? "IPv6" : "IPv4");
  result.Set("port", ntohs(port));
  return result;
}

// Other sockets than TCP's do not have all of these: as with libuv's functions
// that is no error to anybody.
void SocketTransportWrap::SetOption(int level, int name, int value) {
  if (handle_ == nullptr) return;
  setsockopt(handle_->descriptor(), level, name, &value, sizeof value);
}

Napi::Value SocketTransportWrap::SetNoDelay(const Napi::CallbackInfo& info) {
  SetOption(IPPROTO_TCP, TCP_NODELAY, ToBool(info[0]));
  return info.Env().Undefined();
}

// The delay in seconds; the other two are libuv's.
Napi::Value SocketTransportWrap::SetKeepAlive(const Napi::CallbackInfo& info) {
  const bool on = ToBool(info[0]);
  const int delay = ToInt(info[1]);
  SetOption(SOL_SOCKET, SO_KEEPALIVE, on);
  if (on && delay > 0) {
    SetOption(IPPROTO_TCP, kKeepIdle, delay);
    SetOption(IPPROTO_TCP, TCP_KEEPINTVL, 1);
    SetOption(IPPROTO_TCP, TCP_KEEPCNT, 10);
  }
  return info.Env().Undefined();
}

// Half-close: errno, or 0.
Napi::Value SocketTransportWrap::Shutdown(const Napi::CallbackInfo& info) {
  const bool failed =
      handle_ != nullptr && shutdown(handle_->descriptor(), SHUT_WR) != 0;
  return Napi::Number::New(info.Env(), failed ? errno : 0);
}

#endif

void SocketTransportWrap::Watch() {
  if (handle_ == nullptr) return;
  int events = 0;
  if (connection_ != nullptr) {
    if (!ended_ && receive_error_ == 0) {
      if (!hung_up_) events |= UV_DISCONNECT;
      if (connection_->unread() <= limit_) events |= UV_READABLE;
    }
    if (sending_) events |= UV_WRITABLE;
  }
  handle_->Watch(events);
}

void SocketTransportWrap::OnPoll(int status, int events) {
  if (connection_ == nullptr) return;
  int event = 0;
  // An error of the socket's: receiving will tell which.
  if (status < 0) events = UV_READABLE | UV_WRITABLE | UV_DISCONNECT;
  if ((events & UV_READABLE) != 0) event |= kReadable;
  if ((events & UV_DISCONNECT) != 0) {
    hung_up_ = true;
    event |= kHungUp;
  }
  if (event != 0) readable_ = true;
  if (sending_ && (events & UV_WRITABLE) != 0 && Send()) event |= kSent;
  Watch();
  if (event != 0) Tell(event);
}

void SocketTransportWrap::OnTornDown() {
  handle_ = nullptr;
  if (context_ != nullptr) napi_async_destroy(Env(), context_);
  context_ = nullptr;
}

// We may be gone when this returns.
void SocketTransportWrap::Tell(int event) {
  const napi_env env = Env();
  napi_handle_scope scope = nullptr;
  if (napi_open_handle_scope(env, &scope) != napi_ok) return;
  napi_value argument = nullptr;
  napi_value receiver = nullptr;
  napi_create_int32(env, event, &argument);
  napi_get_global(env, &receiver);
  // Without C++ exceptions: libuv's frames are below.
  napi_value function = nullptr;
  napi_get_reference_value(env, on_event_, &function);
  if (napi_make_callback(env, context_, receiver, function, 1, &argument,
                         nullptr) != napi_ok) {
    bool pending = false;
    napi_value error = nullptr;
    // As what an event listener throws everywhere. When nothing is pending,
    // the thread is being stopped.
    if (napi_is_exception_pending(env, &pending) == napi_ok && pending &&
        napi_get_and_clear_last_exception(env, &error) == napi_ok) {
      napi_fatal_exception(env, error);
    }
  }
  napi_close_handle_scope(env, scope);
}

// ---- called from JavaScript

// 0: all is sent; 1: the rest goes when the socket takes it, and kSent tells;
// below: -errno.
Napi::Value SocketTransportWrap::Flush(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (connection_ != nullptr && !sending_) Send();
  if (connection_ != nullptr && sending_) {
    Watch();
    return Napi::Number::New(env, 1);
  }
  const int error = send_error_;
  send_error_ = 0;
  return Napi::Number::New(env, -error);
}

// Receives what nobody reads for now, up to the limit, or all. 0: open;
// 1: the peer has ended; below: -errno.
Napi::Value SocketTransportWrap::Receive(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (connection_ == nullptr) return Napi::Number::New(env, 0);
  const bool all = ToBool(info[0]);
  while ((all || connection_->unread() <= limit_) && ReceiveSome(kRecord)) {
  }
  Watch();
  return Napi::Number::New(env, receive_error_ != 0 ? -receive_error_ : ended_);
}

Napi::Value SocketTransportWrap::RefHandle(const Napi::CallbackInfo& info) {
  if (handle_ != nullptr) handle_->Ref();
  return info.Env().Undefined();
}

Napi::Value SocketTransportWrap::UnrefHandle(const Napi::CallbackInfo& info) {
  if (handle_ != nullptr) handle_->Unref();
  return info.Env().Undefined();
}

Napi::Value SocketTransportWrap::CloseHandle(const Napi::CallbackInfo& info) {
  if (handle_ == nullptr) return info.Env().Undefined();
  handles_->Close(handle_);
  handle_ = nullptr;
  Detach();
  on_event_.Reset();
  if (context_ != nullptr) napi_async_destroy(info.Env(), context_);
  context_ = nullptr;
  Unref();
  return info.Env().Undefined();
}

void SocketTransportWrap::Detach() {
  if (owner_ != nullptr) owner_->set_socket(nullptr);
  owner_ = nullptr;
  connection_ = nullptr;
  Watch();
}

}  // namespace tls_client_cert
