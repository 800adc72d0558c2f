#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/x509v3.h>

#include "conversation.h"
#include "seeds.h"
#include "session_mark.h"
#include "world.h"

namespace tls_client_cert::fuzz {

namespace {

Bytes SafeContentsOf(const Person& person, bool shrouded) {
  STACK_OF(PKCS12_SAFEBAG)* bags = nullptr;
  PKCS12_add_cert(&bags, person.identity.certificate.get());
  if (shrouded) {
    PKCS12_add_key(&bags, person.identity.key.get(), 0, 1,
                   NID_pbe_WithSHA1And3_Key_TripleDES_CBC, "abc");
  } else {
    PKCS12_add_key(&bags, person.identity.key.get(), 0, 1, -1, nullptr);
  }
  unsigned char* der = nullptr;
  const int size = ASN1_item_i2d(reinterpret_cast<ASN1_VALUE*>(bags), &der,
                                 ASN1_ITEM_rptr(PKCS12_SAFEBAGS));
  REQUIRE(size > 0);
  const Bytes out(der, der + size);
  OPENSSL_free(der);
  sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
  return out;
}

Bytes QuickPfx(const test::Identity& identity, int cipher,
               const char* passphrase, const std::vector<X509*>& others) {
  STACK_OF(X509)* pool = sk_X509_new_null();
  for (X509* other : others) sk_X509_push(pool, other);
  // The key is encrypted in one round, and the proof of one is not much either.
  const Pkcs12Pointer pfx(
      PKCS12_create(passphrase, "a name", identity.key.get(),
                    identity.certificate.get(), pool, cipher, cipher, 1, 1, 0));
  sk_X509_free(pool);
  REQUIRE(pfx != nullptr);
  unsigned char* der = nullptr;
  const int size = i2d_PKCS12(pfx.get(), &der);
  const Bytes out(der, der + size);
  OPENSSL_free(der);
  return out;
}

Bytes QuickKey(const EVP_PKEY* key) {
  const BioPointer bio(BIO_new(BIO_s_mem()));
  // The cheapest that encrypts.
  REQUIRE(i2d_PKCS8PrivateKey_nid_bio(bio.get(), key,
                                      NID_pbe_WithSHA1And3_Key_TripleDES_CBC,
                                      "abc", 3, nullptr, nullptr) == 1);
  Bytes out(BIO_ctrl_pending(bio.get()));
  BIO_read(bio.get(), out.data(), static_cast<int>(out.size()));
  return out;
}

Bytes SessionOf(int server, uint8_t who) {
  static const Recording nothing;
  Setting setting;
  setting.version = setting.server = server;
  setting.answer = who;
  setting.request = 0x18;
  Conversation conversation(setting, nothing, {});
  conversation.Finish();
  return conversation.sessions().empty() ? Bytes()
                                         : conversation.sessions().front();
}

Bytes SessionWith(BytesView der, const Bytes& mark) {
  const SslSessionPointer session = ParseSession(der);
  REQUIRE(session != nullptr);
  REQUIRE(SSL_SESSION_set1_ticket_appdata(session.get(), mark.data(),
                                          mark.size()) == 1);
  const SecretBytes with = SerializeSession(session.get());
  return Bytes(with.begin(), with.end());
}

// PFX whose chains are put into order: one that has an end, one that goes round
// and round, and one with a link that cannot be read.
void WriteChains(Folder* folder) {
  const test::Identity& root = TheWorld().root;
  const auto shared = [](const test::Identity& of) {
    EVP_PKEY_up_ref(of.key.get());
    return EvpPkeyPointer(of.key.get());
  };
  const test::Identity middle =
      test::Issue({"Middle", &root, true}, test::MakeKey("p256"));
  const test::Identity lower =
      test::Issue({"Lower", &middle, true}, test::MakeKey("p256"));
  const test::Identity middle_by_lower =
      test::Issue({"Middle", &lower, true}, shared(middle));
  const test::Identity leaf =
      test::Issue({"leaf", &lower}, test::MakeKey("p256"));
  const test::Identity broken =
      test::Issue({"Lower", &middle, true}, shared(lower));
  ASN1_OCTET_STRING* nothing = ASN1_OCTET_STRING_new();
  X509_EXTENSION* constraints =
      X509_EXTENSION_create_by_NID(nullptr, NID_name_constraints, 1, nothing);
  X509_add_ext(broken.certificate.get(), constraints, -1);
  X509_EXTENSION_free(constraints);
  ASN1_OCTET_STRING_free(nothing);
  REQUIRE(X509_sign(broken.certificate.get(), middle.key.get(), EVP_sha256()) >
          0);
  X509* const top = root.certificate.get();
  for (const std::vector<X509*>& pool : std::vector<std::vector<X509*>>{
           {top, middle.certificate.get(), lower.certificate.get()},
           {middle_by_lower.certificate.get(), lower.certificate.get()},
           {top, middle.certificate.get(), broken.certificate.get()}}) {
    folder->Write(2, 0, {QuickPfx(leaf, -1, "abc", pool)}, "abc");
  }
}

// Keys and signatures of other kinds than the people have.
void WriteKinds(Folder* folder) {
  const test::Identity& root = TheWorld().root;
  const auto write = [&](const test::Identity& identity) {
    const Bytes der = test::CertificateDer(identity.certificate.get());
    folder->Write(0, 1, {der, test::KeyDer(identity.key.get())});
    folder->Write(4, 0, {der, {8, 5, 8, 9, 5, 3}});
  };
  for (const char* kind :
       {"p384", "p521", "ed448", "rsa-pss", "rsa-pss-sha384", "brainpool256"}) {
    write(test::Issue({kind, &root}, test::MakeKey(kind)));
  }
  EvpPkeyPointer small(EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", size_t{512}));
  const test::Identity weak =
      test::Issue({"weak", &root, true}, std::move(small));
  write(weak);
  write(
      test::Issue({"SHA-1", &root, false, EVP_sha1()}, test::MakeKey("p256")));
  const test::Identity below =
      test::Issue({"below weak", &weak}, test::MakeKey("p256"));
  folder->Write(0, 1,
                {test::CertificateDer(below.certificate.get()),
                 test::KeyDer(below.key.get()),
                 test::CertificateDer(weak.certificate.get())});
}

// Of the root's, with one certificate in it.
Bytes RevocationList() {
  const World& world = TheWorld();
  X509CrlPointer crl(X509_CRL_new());
  X509_CRL_set_version(crl.get(), X509_CRL_VERSION_2);
  X509_CRL_set_issuer_name(crl.get(),
                           X509_get_subject_name(world.root.certificate.get()));
  const ASN1_TIME* now = X509_get0_notBefore(world.root.certificate.get());
  X509_CRL_set1_lastUpdate(crl.get(), now);
  X509_CRL_set1_nextUpdate(crl.get(), now);
  X509_REVOKED* entry = X509_REVOKED_new();
  ASN1_INTEGER* serial = X509_get_serialNumber(world.server.certificate.get());
  X509_REVOKED_set_serialNumber(entry, serial);
  X509_REVOKED_set_revocationDate(entry, const_cast<ASN1_TIME*>(now));
  X509_CRL_add0_revoked(crl.get(), entry);
  REQUIRE(X509_CRL_sign(crl.get(), world.root.key.get(), EVP_sha256()) > 0);
  unsigned char* der = nullptr;
  const int size = i2d_X509_CRL(crl.get(), &der);
  REQUIRE(size > 0);
  const Bytes out(der, der + size);
  OPENSSL_free(der);
  return out;
}

}  // namespace

void WriteCredentials(Folder folder) {
  const World& world = TheWorld();
  WriteChains(&folder);
  WriteKinds(&folder);
  const Bytes root = test::CertificateDer(world.root.certificate.get());
  const Bytes root_pem = test::CertificatePem(world.root.certificate.get());
  for (const Person& person : world.people) {
    const X509* leaf = person.identity.certificate.get();
    EVP_PKEY* key = person.identity.key.get();
    const Bytes der = test::CertificateDer(leaf);
    const Bytes pem = test::CertificatePem(leaf);
    folder.Write(0, 1, {pem, test::KeyPem(key), root_pem});
    folder.Write(0, 1, {der, test::KeyDer(key), root});
    folder.Write(0, 2,
                 {der, QuickKey(key), test::KeyDer(world.other_root.key.get())},
                 "abc");
    folder.Write(1, 1 | 2 << 2, {der, test::KeyDer(key)});
    folder.Write(1, 0, {der, QuickKey(key), root}, "abc");
    folder.Write(1, 1, {der, test::KeyDer(key), root});
    Bytes chain = pem;
    chain.insert(chain.end(), root_pem.begin(), root_pem.end());
    folder.Write(0, 1, {chain, test::KeyPem(key)});
    folder.Write(
        2, 0,
        {QuickPfx(person.identity, -1, "abc", {world.root.certificate.get()})},
        "abc");
    folder.Write(
        2, 0,
        {QuickPfx(person.identity, NID_pbe_WithSHA1And3_Key_TripleDES_CBC,
                  "abc", {world.root.certificate.get()})},
        "abc");
    folder.Write(
        2, 0,
        {QuickPfx(person.identity, -1, "abc", {world.root.certificate.get()})},
        "no");
    folder.Write(
        2, 1,
        {QuickPfx(person.identity, -1, "abc", {world.root.certificate.get()})});
    folder.Write(3, 0, {SafeContentsOf(person, false)}, "abc");
    folder.Write(3, 0, {SafeContentsOf(person, true)}, "abc");
    folder.Write(4, 0, {der, {}, root});
    folder.Write(4, 0, {pem, {4, 3, 8, 4, 8, 7}, root_pem});
    folder.Write(4, 0, {pem, {0xff, 0xff}});
    folder.Write(7, 1, {test::KeyDer(key)});
    folder.Write(7, 1, {test::KeyPem(key)});
    folder.Write(7, 0, {QuickKey(key)}, "abc");
    folder.Write(7, 1, {QuickKey(key)});
  }
  folder.Write(5, 0, {root, root_pem});
  folder.Write(5, 2, {root, {0x30, 0x03, 0x02, 0x01, 0x00}});
  const Bytes crl = RevocationList();
  folder.Write(5, 2, {root, crl});
  folder.Write(5, 3, {ToPem("X509 CRL", crl), crl});
  // As no certificate is: encrypted.
  std::string sealed(root_pem.begin(), root_pem.end());
  sealed.insert(sealed.find('\n') + 1,
                "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,"
                "00112233445566778899AABBCCDDEEFF\n\n");
  folder.Write(5, 0, {Bytes(sealed.begin(), sealed.end())});
  Bytes trust = world.contexts[0][0]->trust_digest();
  for (const int server : {0, 1}) {
    for (const uint8_t who : {0, 1, 2}) {
      const Bytes session = SessionOf(server, who);
      if (!session.empty()) folder.Write(6, 0, {session, trust});
    }
  }
  trust = world.contexts[0][1]->trust_digest();
  folder.Write(6, 2, {SessionOf(1, 0), trust});
  folder.Write(6, 4, {SessionOf(1, 1), trust});
  // A mark of each kind, and of other lengths than it should have.
  for (const uint8_t identity : {0, 1, 2, 3, 4}) {
    for (const size_t size : {4, 5, 36, 37, 38, 68, 69, 70}) {
      Bytes mark = {'T', 'C', 'C', '1', identity};
      mark.insert(mark.end(), trust.begin(), trust.end());
      mark.resize(size);
      folder.Write(6, 0, {SessionWith(SessionOf(1, 1), mark), trust});
    }
  }
}

}  // namespace tls_client_cert::fuzz
