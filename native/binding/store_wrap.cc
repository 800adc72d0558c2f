#include "store_wrap.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "../openssl/store.h"
#include "convert.h"

namespace tls_client_cert {

namespace {

// The key that StoreKeyWrap's constructor is to take: JavaScript has none to
// give it.
thread_local std::shared_ptr<StoreKey>* key_of_new_wrap = nullptr;

// Runs in libuv's pool and settles a promise here.
template <typename T>
class PoolOperation : public Napi::AsyncWorker {
 public:
  PoolOperation(Napi::Env env, const char* name)
      : AsyncWorker(env, name), deferred_(env) {}

  static Napi::Value Start(std::unique_ptr<PoolOperation> operation) {
    operation->Queue();
    // It deletes itself when it is done.
    return operation.release()->deferred_.Promise();
  }

 protected:
  // In the pool.
  virtual Result<T> Run() = 0;
  // On JavaScript's thread.
  virtual Napi::Value ToJavaScript(T& value) = 0;

 private:
  // Napi would catch what operator new throws, and no destructor of the machine
  // has run by then: a lock would stay locked.
  void Execute() noexcept override { result_.emplace(Run()); }

  void OnOK() override {
    if (result_->ok()) {
      deferred_.Resolve(ToJavaScript(result_->value()));
    } else {
      deferred_.Reject(ToError(Env(), result_->failure()).Value());
    }
  }

  void OnError(const Napi::Error& error) override {
    deferred_.Reject(error.Value());
  }

  Napi::Promise::Deferred deferred_;
  std::optional<Result<T>> result_;
};

class OpenOperation : public PoolOperation<StoreContents> {
 public:
  OpenOperation(Napi::Env env, StoreInput input,
                std::optional<BytesView> passphrase)
      : PoolOperation(env, "tls-client-cert:openStore"),
        input_(std::move(input)) {
    if (!passphrase) return;
    passphrase_.assign(passphrase->data, passphrase->data + passphrase->size);
    input_.passphrase = BytesView(passphrase_);
  }

 private:
  Result<StoreContents> Run() override { return OpenStore(input_); }

  Napi::Value ToJavaScript(StoreContents& contents) override {
    const Napi::Env env = Env();
    Napi::Array certificates = Napi::Array::New(env);
    for (const Bytes& der : contents.certificates) {
      certificates.Set(certificates.Length(), FromBytes(env, der));
    }
    Napi::Array keys = Napi::Array::New(env);
    for (std::shared_ptr<StoreKey>& key : contents.keys) {
      keys.Set(keys.Length(), StoreKeyWrap::Create(env, std::move(key)));
    }
    Napi::Object record = Napi::Object::New(env);
    record.Set("certificates", certificates);
    record.Set("keys", keys);
    return record;
  }

  StoreInput input_;
  SecretBytes passphrase_;
};

class SignOperation : public PoolOperation<Bytes> {
 public:
  SignOperation(Napi::Env env, std::shared_ptr<StoreKey> key,
                SignatureScheme scheme, BytesView data)
      : PoolOperation(env, "tls-client-cert:sign"),
        key_(std::move(key)),
        scheme_(scheme),
        data_(data.data, data.data + data.size) {}

 private:
  Result<Bytes> Run() override {
    Result<Bytes> signature = key_->Sign(scheme_, data_);
    // Here, because it may be the last of it.
    key_.reset();
    return signature;
  }

  Napi::Value ToJavaScript(Bytes& signature) override {
    return FromBytes(Env(), signature);
  }

  std::shared_ptr<StoreKey> key_;
  SignatureScheme scheme_;
  Bytes data_;
};

// To free a key may take as long as to use it.
class FreeOperation : public Napi::AsyncWorker {
 public:
  FreeOperation(Napi::Env env, std::shared_ptr<StoreKey> key)
      : AsyncWorker(env, "tls-client-cert:freeStoreKey"),
        key_(std::move(key)) {}

 private:
  void Execute() noexcept override { key_.reset(); }

  std::shared_ptr<StoreKey> key_;
};

}  // namespace

Napi::Function StoreKeyWrap::Define(Napi::Env env) {
  return DefineClass(env, kName,
                     {Expose<&StoreKeyWrap::PublicKey>("publicKey"),
                      Expose<&StoreKeyWrap::Schemes>("schemes"),
                      Expose<&StoreKeyWrap::Sign>("sign")});
}

Napi::Object StoreKeyWrap::Create(Napi::Env env,
                                  std::shared_ptr<StoreKey> key) {
  struct Offer {
    explicit Offer(std::shared_ptr<StoreKey>* key) { key_of_new_wrap = key; }
    ~Offer() { key_of_new_wrap = nullptr; }
  } const offer(&key);
  return Environment::Get(env)->store_key_class.New({});
}

StoreKeyWrap::StoreKeyWrap(const Napi::CallbackInfo& info)
    : Wrap(info), closing_(Environment::Get(info.Env())->closing) {
  if (key_of_new_wrap == nullptr) {
    throw Napi::TypeError::New(info.Env(), "Illegal constructor");
  }
  key_ = std::move(*key_of_new_wrap);
}

StoreKeyWrap::~StoreKeyWrap() {
  if (key_ == nullptr || *closing_) return;
  try {
    auto operation = std::make_unique<FreeOperation>(Env(), std::move(key_));
    operation->Queue();
    operation.release();  // NOLINT: it deletes itself
  } catch (const Napi::Error&) {
    // The environment is about to go: it is freed here and now.
  }
}

Napi::Value StoreKeyWrap::PublicKey(const Napi::CallbackInfo& info) {
  return FromBytes(info.Env(), key_->public_key());
}

Napi::Value StoreKeyWrap::Schemes(const Napi::CallbackInfo& info) {
  Napi::Array schemes = Napi::Array::New(info.Env());
  for (const SignatureScheme scheme : key_->schemes()) {
    schemes.Set(schemes.Length(), scheme);
  }
  return schemes;
}

Napi::Value StoreKeyWrap::Sign(const Napi::CallbackInfo& info) {
  return SignOperation::Start(std::make_unique<SignOperation>(
      info.Env(), key_, static_cast<SignatureScheme>(ToInt(info[0])),
      ToBytes(info[1])));
}

Napi::Value OpenStoreInPool(const Napi::CallbackInfo& info) {
  const Napi::Object options = info[0].ToObject();
  StoreInput input;
  input.uri = ToSecretString(options.Get("uri"));
  input.property_query =
      ToOptionalString(options.Get("propertyQuery")).value_or("");
  if (options.Get("providers").IsArray()) {
    const auto providers = options.Get("providers").As<Napi::Array>();
    for (uint32_t i = 0; i < providers.Length(); i++) {
      input.providers.push_back(
          ToOptionalString(providers.Get(i)).value_or(""));
    }
  }
  return OpenOperation::Start(std::make_unique<OpenOperation>(
      info.Env(), std::move(input),
      ToOptionalBytes(options.Get("passphrase"))));
}

}  // namespace tls_client_cert
