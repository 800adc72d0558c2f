// A native object behind a JavaScript one, which no other object can pose as.
#ifndef TLS_CLIENT_CERT_BINDING_WRAP_H_
#define TLS_CLIENT_CERT_BINDING_WRAP_H_

#include <napi.h>

#include <memory>
#include <string>

#include "environment.h"

namespace tls_client_cert {

// T names its class (`kName`), its number (`kTag`) and its counter in
// LiveCounts (`kLive`).
template <typename T>
class Wrap : public Napi::ObjectWrap<T> {
 public:
  explicit Wrap(const Napi::CallbackInfo& info) : Napi::ObjectWrap<T>(info) {
    const napi_type_tag tag = TypeTag();
    info.This().template As<Napi::Object>().TypeTag(&tag);
    live_ = Environment::Get(info.Env())->live;
    (*live_).*T::kLive += 1;
  }
  ~Wrap() override { (*live_).*T::kLive -= 1; }

  // Never null: it throws a TypeError when `value` is anything else.
  static T* From(Napi::Env env, Napi::Value value) {
    if (value.IsObject()) {
      const napi_type_tag tag = TypeTag();
      if (value.As<Napi::Object>().CheckTypeTag(&tag)) {
        return Napi::ObjectWrap<T>::Unwrap(value.As<Napi::Object>());
      }
    }
    throw Napi::TypeError::New(env, std::string("not a native ") + T::kName);
  }

 protected:
  // That `a.method.call(b)` is a TypeError is V8's doing: napi_define_class
  // gives each method a signature, and only objects of the class pass it.
  template <Napi::Value (T::*Method)(const Napi::CallbackInfo&)>
  static Napi::ClassPropertyDescriptor<T> Expose(const char* name) {
    napi_property_descriptor descriptor{};
    descriptor.utf8name = name;
    descriptor.method = [](napi_env env, napi_callback_info raw) -> napi_value {
      return Napi::details::WrapCallback(env, [&]() -> napi_value {
        const Napi::CallbackInfo info(env, raw);
        T* self = Napi::ObjectWrap<T>::Unwrap(info.This().As<Napi::Object>());
        return (self->*Method)(info);
      });
    };
    descriptor.attributes = napi_default;
    return Napi::ClassPropertyDescriptor<T>(descriptor);
  }

 private:
  // The address makes the tag differ between two copies of this addon in one
  // process, whose classes may be laid out differently.
  static napi_type_tag TypeTag() {
    static const char anchor = 0;
    return {0x746c732d63636562ULL + T::kTag,
            reinterpret_cast<uint64_t>(&anchor)};
  }

  std::shared_ptr<LiveCounts> live_;
};

}  // namespace tls_client_cert

#endif  // TLS_CLIENT_CERT_BINDING_WRAP_H_
