// Descriptors that an environment's event loop polls.
#ifndef TLS_CLIENT_CERT_BINDING_POLL_HANDLES_H_
#define TLS_CLIENT_CERT_BINDING_POLL_HANDLES_H_

#include <node_api.h>
#include <uv.h>

#include <memory>
#include <unordered_set>

namespace tls_client_cert {

class PollHandles;

// One descriptor. libuv needs its memory until it has closed it, which may be
// later than any owner's end.
class PollHandle {
 public:
  class Owner {
   public:
    virtual ~Owner() = default;
    // `status` and `events` as of uv_poll_cb. It may close the handle.
    virtual void OnPoll(int status, int events) = 0;
    // The environment goes: the handle is closed already.
    virtual void OnTornDown() = 0;
  };

  int descriptor() const { return descriptor_; }
  // Polls for these UV_… events from now on; 0: for none.
  void Watch(int events);
  void Ref() { uv_ref(reinterpret_cast<uv_handle_t*>(&poll_)); }
  void Unref() { uv_unref(reinterpret_cast<uv_handle_t*>(&poll_)); }

 private:
  friend class PollHandles;
  PollHandle() = default;

  uv_poll_t poll_{};
  int descriptor_ = -1;
  int events_ = 0;
  Owner* owner_ = nullptr;
  std::shared_ptr<PollHandles> all_;
};

// All of one environment: an event loop must not end with one still open.
class PollHandles : public std::enable_shared_from_this<PollHandles> {
 public:
  // To be called once, when the environment begins.
  void Begin(napi_env env);

  // Null when the descriptor cannot be polled. What is polled, and closed in
  // the end, is a duplicate: whoever has the original may close it at any time,
  // Node does when an environment ends, and libuv must not see that.
  PollHandle* Open(napi_env env, int descriptor, PollHandle::Owner* owner);
  void Close(PollHandle* handle);

 private:
  void TearDown(napi_async_cleanup_hook_handle hook);
  void EndIfClosed();

  std::unordered_set<PollHandle*> open_;
  int closing_ = 0;
  napi_async_cleanup_hook_handle hook_ = nullptr;
  bool torn_down_ = false;
};

}  // namespace tls_client_cert

#endif  // TLS_CLIENT_CERT_BINDING_POLL_HANDLES_H_
