#include "poll_handles.h"

#ifndef _WIN32
#include <fcntl.h>
#include <unistd.h>
#endif

namespace tls_client_cert {

void PollHandle::Watch(int events) {
  if (events == events_) return;
  events_ = events;
  if (events == 0) {
    uv_poll_stop(&poll_);
    return;
  }
  uv_poll_start(&poll_, events, [](uv_poll_t* poll, int status, int seen) {
    auto* handle = static_cast<PollHandle*>(poll->data);
    // libuv has stopped it then.
    if (status < 0) handle->events_ = 0;
    if (handle->owner_ != nullptr) handle->owner_->OnPoll(status, seen);
  });
}

void PollHandles::Begin(napi_env env) {
  // The hook keeps us; it is called once, whatever happens.
  auto* self = new std::shared_ptr<PollHandles>(shared_from_this());
  napi_add_async_cleanup_hook(
      env,
      [](napi_async_cleanup_hook_handle hook, void* data) {
        auto* self = static_cast<std::shared_ptr<PollHandles>*>(data);
        const std::shared_ptr<PollHandles> all = *self;
        delete self;
        all->TearDown(hook);
      },
      self, &hook_);
}

#ifdef _WIN32

// Node shows no descriptors there.
PollHandle* PollHandles::Open(napi_env, int, PollHandle::Owner*) {
  return nullptr;
}

void PollHandles::Close(PollHandle*) {}

#else

PollHandle* PollHandles::Open(napi_env env, int descriptor,
                              PollHandle::Owner* owner) {
  uv_loop_t* loop = nullptr;
  if (torn_down_ || napi_get_uv_event_loop(env, &loop) != napi_ok) {
    return nullptr;
  }
  const int own = fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
  if (own < 0) return nullptr;
  auto* handle = new PollHandle;
  if (uv_poll_init(loop, &handle->poll_, own) != 0) {
    close(own);
    delete handle;
    return nullptr;
  }
  handle->poll_.data = handle;
  handle->descriptor_ = own;
  handle->owner_ = owner;
  handle->all_ = shared_from_this();
  open_.insert(handle);
  return handle;
}

void PollHandles::Close(PollHandle* handle) {
  open_.erase(handle);
  handle->owner_ = nullptr;
  closing_ += 1;
  uv_close(reinterpret_cast<uv_handle_t*>(&handle->poll_),
           [](uv_handle_t* closed) {
             auto* handle = static_cast<PollHandle*>(closed->data);
             const std::shared_ptr<PollHandles> all = handle->all_;
             delete handle;
             all->closing_ -= 1;
             all->EndIfClosed();
           });
  // uv_close has forgotten the descriptor by now.
  close(handle->descriptor_);
}

#endif

void PollHandles::TearDown(napi_async_cleanup_hook_handle hook) {
  torn_down_ = true;
  hook_ = hook;
  while (!open_.empty()) {
    PollHandle* handle = *open_.begin();
    PollHandle::Owner* owner = handle->owner_;
    Close(handle);
    if (owner != nullptr) owner->OnTornDown();
  }
  EndIfClosed();
}

void PollHandles::EndIfClosed() {
  if (!torn_down_ || closing_ > 0 || hook_ == nullptr) return;
  napi_remove_async_cleanup_hook(hook_);
  hook_ = nullptr;
}

}  // namespace tls_client_cert
