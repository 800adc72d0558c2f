#include "trust_store.h"

#include <map>
#include <mutex>

#include "certificate_reader.h"
#include "digest.h"

namespace tls_client_cert {

namespace {

// Authorities of `from` become authorities of `to` as well.
bool CopyAuthorities(X509_STORE* from, X509_STORE* to) {
  if (!X509_STORE_lock(from)) return false;
  bool copied = true;
  STACK_OF(X509_OBJECT)* objects = X509_STORE_get0_objects(from);
  for (int i = 0; copied && i < sk_X509_OBJECT_num(objects); i++) {
    X509* authority = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(objects, i));
    if (authority != nullptr) copied = X509_STORE_add_cert(to, authority) == 1;
  }
  X509_STORE_unlock(from);
  return copied;
}

// Tells each kind of input apart.
Bytes DigestOf(const std::vector<BytesView>& authorities,
               const std::vector<BytesView>& crls, const TrustStore* base) {
  std::vector<BytesView> parts;
  if (base != nullptr) parts.push_back(base->digest());
  // An empty part, which no input is, between the kinds of input.
  parts.emplace_back();
  parts.insert(parts.end(), authorities.begin(), authorities.end());
  parts.emplace_back();
  parts.insert(parts.end(), crls.begin(), crls.end());
  return Sha256(parts);
}

}  // namespace

Result<std::shared_ptr<const TrustStore>> TrustStore::Create(
    const std::vector<BytesView>& authorities,
    const std::vector<BytesView>& crls,
    const std::shared_ptr<const TrustStore>& base) {
  ErrorStack errors;
  X509StorePointer store(X509_STORE_new());
  if (!store || (base && !CopyAuthorities(base->get(), store.get()))) {
    return TakeFailure(FailureReason::kInternal);
  }
  const bool has_default_paths = base && base->has_default_paths_;
  if (has_default_paths && X509_STORE_set_default_paths(store.get()) != 1) {
    return TakeFailure(FailureReason::kInternal);
  }
  for (size_t i = 0; i < authorities.size(); i++) {
    std::vector<X509Pointer> certificates;
    if (!ReadCertificates(authorities[i], &certificates)) {
      return TakeFailure(FailureReason::kAuthorityUnreadable,
                         static_cast<int>(i));
    }
    for (const X509Pointer& certificate : certificates) {
      if (X509_STORE_add_cert(store.get(), certificate.get()) != 1) {
        return TakeFailure(FailureReason::kInternal);
      }
    }
  }
  for (size_t i = 0; i < crls.size(); i++) {
    std::vector<X509CrlPointer> lists;
    if (!ReadCrls(crls[i], &lists)) {
      return TakeFailure(FailureReason::kCrlUnreadable, static_cast<int>(i));
    }
    for (const X509CrlPointer& list : lists) {
      if (X509_STORE_add_crl(store.get(), list.get()) != 1) {
        return TakeFailure(FailureReason::kInternal);
      }
    }
  }
  if (!crls.empty() &&
      X509_STORE_set_flags(store.get(), X509_V_FLAG_CRL_CHECK |
                                            X509_V_FLAG_CRL_CHECK_ALL) != 1) {
    return TakeFailure(FailureReason::kInternal);
  }
  Bytes digest = DigestOf(authorities, crls, base.get());
  if (digest.empty()) return TakeFailure(FailureReason::kInternal);
  return std::shared_ptr<const TrustStore>(
      new TrustStore(std::move(store), has_default_paths, std::move(digest)));
}

Result<std::shared_ptr<const TrustStore>> TrustStore::Shared(
    const std::vector<BytesView>& authorities,
    const std::vector<BytesView>& crls,
    const std::shared_ptr<const TrustStore>& base) {
  if (base && base->has_default_paths_) return Create(authorities, crls, base);
  // Process-wide on purpose, and never destroyed: a worker may still be in
  // here while the main thread runs its exit handlers.
  static auto* mutex = new std::mutex;
  static auto* stores = new std::map<Bytes, std::weak_ptr<const TrustStore>>;

  const Bytes key = DigestOf(authorities, crls, base.get());
  std::lock_guard<std::mutex> lock(*mutex);
  const auto found = stores->find(key);
  if (found != stores->end()) {
    if (std::shared_ptr<const TrustStore> store = found->second.lock()) {
      return store;
    }
    stores->erase(found);
  }
  auto made = Create(authorities, crls, base);
  if (made.ok() && !key.empty()) (*stores)[key] = made.value();
  return made;
}

Result<std::shared_ptr<const TrustStore>> TrustStore::SystemDefault() {
  ErrorStack errors;
  X509StorePointer store(X509_STORE_new());
  if (!store || X509_STORE_set_default_paths(store.get()) != 1) {
    return TakeFailure(FailureReason::kInternal);
  }
  Bytes digest = Sha256({});
  if (digest.empty()) return TakeFailure(FailureReason::kInternal);
  return std::shared_ptr<const TrustStore>(
      new TrustStore(std::move(store), true, std::move(digest)));
}

}  // namespace tls_client_cert
