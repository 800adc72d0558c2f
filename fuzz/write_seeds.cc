// Writes the seeds of all targets: one folder each, one file for each way on
// which a caller or a server would go.
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include "certificate_reader.h"
#include "conversation.h"
#include "message_shape.h"
#include "parts.h"
#include "require.h"
#include "session_mark.h"
#include "world.h"

namespace tls_client_cert::fuzz {

namespace {

using Kind = Instruction::Kind;

class Folder {
 public:
  Folder(const std::filesystem::path& out, const char* target)
      : path_(out / target) {}

  void Write(const Bytes& bytes) {
    char name[16];
    std::snprintf(name, sizeof(name), "seed-%03d", count_++);
    std::ofstream file(path_ / name, std::ios::binary);
    file.write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
    REQUIRE(file.good());
  }
  void Write(uint8_t mode, uint8_t flags, std::vector<Bytes> parts,
             const std::string& passphrase = "") {
    Write(WriteParts({mode, flags, Bytes(passphrase.begin(), passphrase.end()),
                      std::move(parts)}));
  }

 private:
  std::filesystem::path path_;
  int count_ = 0;
};

Bytes Script(const Bytes& head, const std::vector<Instruction>& script) {
  Bytes out = head;
  out.resize(Setting::kSize);
  for (const Instruction& next : script) {
    const uint8_t entry[] = {static_cast<uint8_t>(next.kind), next.a, next.b,
                             next.c, next.d};
    out.insert(out.end(), entry, entry + sizeof(entry));
  }
  return out;
}

Instruction Tamper(Rule::Kind kind, uint8_t where, uint8_t a = 0,
                   uint8_t b = 0) {
  return {Kind::kTamper, static_cast<uint8_t>(kind), where, a, b};
}

void WriteAskedFor(Folder* folder);

// What is rarely so: see Special.
void WriteSpecials(Folder* folder) {
  const auto rare = [](Special special, uint8_t renegotiations) {
    return static_cast<uint8_t>(static_cast<uint8_t>(special) << 2 |
                                renegotiations);
  };
  const std::vector<Instruction> renegotiates = {
      {Kind::kRun},         {Kind::kReact}, {Kind::kRun},
      {Kind::kReact},       {Kind::kRun},   {Kind::kFacts, 4},
      {Kind::kRenegotiate}, {Kind::kRun},   {Kind::kServerRequest}};
  for (const uint8_t bits : {0, 64, 128}) {
    folder->Write(
        Script({0, 0, 1, 0, 0, rare(Special::kDiffieHellman, 3), bits}, {}));
  }
  folder->Write(
      Script({0, 0, 1, 0, 0, rare(Special::kDiffieHellman, 3)}, renegotiates));
  for (const uint8_t alpn : {0, 1}) {
    folder->Write(Script({0, 0, static_cast<uint8_t>(alpn << 4), 0, 0,
                          rare(Special::kWithoutRfc5746, 3)},
                         renegotiates));
  }
  for (const uint8_t version : {0, 1}) {
    for (const uint8_t flags : {0, 1, 8}) {
      for (const Special special : {Special::kRestricted, Special::kWeak}) {
        folder->Write(Script(
            {version, flags, 4, 0, 0, rare(special, 3)},
            {{Kind::kRun}, {Kind::kReact}, {Kind::kRun}, {Kind::kFacts}}));
      }
    }
  }
  // Somebody else each time the server asks.
  std::vector<Instruction> others = {{Kind::kRun}};
  for (const uint8_t who : {1, 2, 6, 1}) {
    others.insert(others.end(), {{Kind::kAccept},
                                 {Kind::kRun},
                                 {Kind::kAnswer, who},
                                 {Kind::kRun},
                                 {Kind::kServerRequest},
                                 {Kind::kRun}});
  }
  folder->Write(Script({0, 8, 1, 0, 0, 3}, others));
  folder->Write(Script({1 | 0x10, 8, 1}, others));
  // More tickets than are kept.
  std::vector<Instruction> tickets = {
      {Kind::kRun}, {Kind::kReact}, {Kind::kRun}, {Kind::kReact}, {Kind::kRun}};
  tickets.insert(tickets.end(), 12, {Kind::kServerTicket});
  tickets.insert(tickets.end(),
                 {{Kind::kRead, 1, 1}, {Kind::kReact}, {Kind::kRead, 1, 1}});
  folder->Write(Script({1, 0, 1}, tickets));
  // By every reason that there is, the first of which counts.
  for (int from = 0; from < 100; from += 32) {
    std::vector<Instruction> reasons = {{Kind::kRun}};
    for (int i = from; i < from + 32; i++) {
      reasons.push_back({Kind::kRefuse, static_cast<uint8_t>(i)});
    }
    folder->Write(Script({1}, reasons));
  }
  for (const uint8_t chunk : {1, 255}) {
    folder->Write(Script({0, 0, 1, chunk, 0x20}, {}));
    folder->Write(Script({1, 0, 1, chunk, 0x20}, {{Kind::kRun},
                                                  {Kind::kReact},
                                                  {Kind::kRun},
                                                  {Kind::kReact},
                                                  {Kind::kRun},
                                                  {Kind::kWrite, 99, 15},
                                                  {Kind::kServerWrite, 99, 7},
                                                  {Kind::kReact},
                                                  {Kind::kRead, 3},
                                                  {Kind::kReact}}));
  }
  for (const uint8_t version : {0, 1}) {
    for (const uint8_t flags : {0, 32}) {
      folder->Write(Script({version, flags, 1}, {{Kind::kRun},
                                                 {Kind::kFacts, 6},
                                                 {Kind::kReact},
                                                 {Kind::kRun},
                                                 {Kind::kFacts, 6}}));
    }
  }
}

void WriteHandshakes(Folder folder) {
  WriteAskedFor(&folder);
  WriteSpecials(&folder);
  // See Setting's constructor: version, flags, who, chunk, request.
  for (const uint8_t version : {0, 1, 6}) {
    for (const uint8_t who : {0, 1, 2, 3, 4, 5}) {
      folder.Write(Script({version, 0, who, 0, 0x3f}, {}));
    }
    for (int flag = 0; flag < 8; flag++) {
      const uint8_t flags = static_cast<uint8_t>(1 << flag);
      folder.Write(Script({version, flags, 1, 0, 0xa0}, {}));
      folder.Write(Script({version, flags, 4, 7, 0x18}, {}));
    }
    folder.Write(Script({static_cast<uint8_t>(version | 0x40), 0, 1}, {}));
    folder.Write(Script({version, 0, 0x11}, {}));
    folder.Write(Script({version, 0, 0x81}, {}));
    for (const uint8_t who : {1, 4}) {
      // Questions after the handshake, and what else may come then.
      folder.Write(
          Script({static_cast<uint8_t>(version | 0x10), 0, who, 0, 0x20},
                 {{Kind::kRun},
                  {Kind::kReact},
                  {Kind::kRun},
                  {Kind::kReact},
                  {Kind::kRun},
                  {Kind::kServerRequest},
                  {Kind::kRun},
                  {Kind::kFacts},
                  {Kind::kReact},
                  {Kind::kRun},
                  {Kind::kReact},
                  {Kind::kRun},
                  {Kind::kServerWrite, 200, 2},
                  {Kind::kWrite, 100},
                  {Kind::kRun},
                  {Kind::kServerKeyUpdate, 1},
                  {Kind::kRun},
                  {Kind::kServerTicket},
                  {Kind::kRun},
                  {Kind::kServerClose},
                  {Kind::kRun}}));
      folder.Write(Script({version, 0, who}, {{Kind::kRun},
                                              {Kind::kAccept},
                                              {Kind::kRun},
                                              {Kind::kFacts},
                                              {Kind::kAskAgain},
                                              {Kind::kRun},
                                              {Kind::kAnswer, who},
                                              {Kind::kRun},
                                              {Kind::kSign, 2},
                                              {Kind::kRun},
                                              {Kind::kSign},
                                              {Kind::kRun},
                                              {Kind::kRenegotiate},
                                              {Kind::kRun},
                                              {Kind::kAccept},
                                              {Kind::kRun},
                                              {Kind::kDecline},
                                              {Kind::kRun},
                                              {Kind::kServerRenegotiate},
                                              {Kind::kRun},
                                              {Kind::kReact},
                                              {Kind::kRun},
                                              {Kind::kReact}}));
      // Whatever may be called while an answer is waited for.
      folder.Write(
          Script({static_cast<uint8_t>(version | 0x10), 0, who, 0, 0x20},
                 {{Kind::kRun},
                  {Kind::kReact},
                  {Kind::kRun},
                  {Kind::kReact},
                  {Kind::kRun},
                  {Kind::kServerRequest},
                  {Kind::kRun},
                  {Kind::kAccept},
                  {Kind::kRun},
                  {Kind::kAnswer, who},
                  {Kind::kRun},
                  {Kind::kHandshake},
                  {Kind::kWrite, 9},
                  {Kind::kRead, 9},
                  {Kind::kShutdown},
                  {Kind::kRenegotiate},
                  {Kind::kServerWrite, 9},
                  {Kind::kRun},
                  {Kind::kReact}}));
      folder.Write(Script({version, 0, who}, {{Kind::kRun},
                                              {Kind::kAccept},
                                              {Kind::kRun},
                                              {Kind::kAnswer, who},
                                              {Kind::kRun},
                                              {Kind::kAbandon},
                                              {Kind::kServerClose},
                                              {Kind::kRun}}));
    }
    folder.Write(Script({version, 0, 1}, {{Kind::kRun}, {Kind::kRefuse, 62}}));
    folder.Write(Script({version, 0, 1, 0, 0x18}, {{Kind::kTrace},
                                                   {Kind::kRun},
                                                   {Kind::kReact},
                                                   {Kind::kRun},
                                                   {Kind::kReact},
                                                   {Kind::kRun},
                                                   {Kind::kTakeSession},
                                                   {Kind::kRun},
                                                   {Kind::kReact},
                                                   {Kind::kReconnect},
                                                   {Kind::kRun},
                                                   {Kind::kFacts, 1}}));
    for (int kind = 0; kind < Rule::kKinds; kind++) {
      const auto rule = static_cast<Rule::Kind>(kind);
      folder.Write(Script({version, 0, 1, 0, 0x20}, {Tamper(rule, 1, 14, 1)}));
      folder.Write(
          Script({version, 0, 1, 0, 0xa0}, {Tamper(rule, 0x82, 43, 5)}));
    }
    for (uint8_t change = 0; change < kFieldChanges; change++) {
      for (const uint8_t field : {0, 2, 5}) {
        folder.Write(Script(
            {version, 0, 1, 0, 0xa0},
            {Tamper(Rule::Kind::kChangeField, 0x82,
                    static_cast<uint8_t>(field * kFieldChanges + change), 2)}));
      }
    }
  }
}

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

// One attribute of the type 2.5.4.`type`.
Bytes NameOf(uint8_t type, uint8_t string_type, const std::string& value) {
  const auto size = static_cast<uint8_t>(value.size());
  Bytes name = {0x30, static_cast<uint8_t>(size + 11),
                0x31, static_cast<uint8_t>(size + 9),
                0x30, static_cast<uint8_t>(size + 7),
                0x06, 0x03,
                0x55, 0x04,
                type, string_type,
                size};
  name.insert(name.end(), value.begin(), value.end());
  return name;
}

const Bytes& Schemes() {
  static const Bytes schemes = {4, 3, 8, 7, 8, 4, 5, 3, 4, 1, 2, 1};
  return schemes;
}

void WriteAskedFor(Folder* folder) {
  const Bytes root = test::NameDer(TheWorld().root.certificate.get());
  const Bytes odd = NameOf(11, 0x0c, " a,b+\"c\"\\<d>;#\xc3\xa9 ");
  const auto write = [&](uint8_t mode, uint8_t flags,
                         std::vector<Bytes> parts) {
    Bytes input = WriteParts({mode, flags, {}, std::move(parts)});
    // Not a Setting: see handshake.cc.
    input.insert(input.begin(), 3);
    folder->Write(input);
  };
  for (const uint8_t mode : {0, 1, 2, 3}) {
    for (const uint8_t who : {0, 1, 2, 4}) {
      const uint8_t flags = static_cast<uint8_t>(who << 1);
      write(mode, flags, {Schemes(), {64, 1, 2}});
      write(mode, flags, {Schemes(), {4, 3}, root, odd});
    }
    write(mode, 2, {{4, 3}, {}, {0x30, 0x00}});
    write(mode, 2, {{}, {}});
  }
}

void WriteRequests(Folder folder) {
  const Bytes root = test::NameDer(TheWorld().root.certificate.get());
  const Bytes upper = NameOf(3, 0x13, "ROOT");
  const Bytes wide = NameOf(10, 0x1e, std::string("\0R\0o", 4));
  const Bytes odd = NameOf(11, 0x0c, " a,b+\"c\"\\<d>;#\xc3\xa9 ");
  const Bytes unknown = NameOf(199, 0x16, "x");
  // Texts that are cut in the middle of a character, or are none.
  const Bytes half_wide = NameOf(10, 0x1e, "abc");
  const Bytes half_wider = NameOf(10, 0x1c, "abc");
  const Bytes no_text = NameOf(10, 0x0c, "\xff\xfe");
  const Bytes none = {0x30, 0x00};
  folder.Write(0, 0, {root, upper, wide, odd, unknown, none, {}});
  // Of a type whose number takes 300 characters, as no room for it may be.
  Bytes type = {0x2a};
  for (int i = 0; i < 28; i++) {
    for (const uint8_t digit : {0x8f, 0xff, 0xff, 0xff, 0x7f}) {
      type.push_back(digit);
    }
  }
  const auto length = static_cast<uint8_t>(type.size());
  Bytes long_type = {0x30, 0x81, static_cast<uint8_t>(length + 12),
                     0x31, 0x81, static_cast<uint8_t>(length + 9),
                     0x30, 0x81, static_cast<uint8_t>(length + 6),
                     0x06, 0x81, length};
  long_type.insert(long_type.end(), type.begin(), type.end());
  long_type.insert(long_type.end(), {0x0c, 0x01, 'x'});
  for (const Bytes& name : {root, upper, wide, odd, unknown, none, long_type,
                            half_wide, half_wider, no_text}) {
    folder.Write(0, 0, {name});
  }
  folder.Write(1, 2, {root, upper});
  folder.Write(1, 0x0c, {wide, odd, unknown, none});
  folder.Write(3, 3, {Schemes()});
  // CertificateRequests, Certificates, CertificateVerifies and others.
  folder.Write(2, 0, {{13, 0, 0, 9, 1, 64, 0, 2, 4, 3, 0, 0, 0}});
  folder.Write(0x82, 0, {{13, 0, 0, 19, 0,  0, 16, 0, 13, 0, 4, 0,
                          2,  4, 3, 0,  50, 0, 4,  0, 2,  4, 3}});
  folder.Write(0x82, 0x0f,
               {{1, 0, 0, 0},
                {11, 0, 0, 4, 0, 0, 0, 0},
                {15, 0, 0, 2, 4, 3},
                {20, 0, 0, 0},
                {2, 0, 0, 0},
                {0, 0, 0, 0}});
  folder.Write(0x42, 0, {{2, 40}});
}

void WriteExternalKeys(Folder folder) {
  const auto write = [&](const std::vector<Bytes>& calls) {
    Bytes out;
    for (Bytes call : calls) {
      call.resize(5);
      out.insert(out.end(), call.begin(), call.end());
    }
    folder.Write(out);
  };
  // external-key.cc has the numbers.
  for (const uint8_t who : {0, 1, 2}) {
    for (const uint8_t digest : {0, 1, 7, 8, 13}) {
      const Bytes make = {0, who};
      const Bytes init = {2, 0, 0, 0, digest};
      write({make, init, {4}, {6, 200}, {7, 72, 1}});
      write({make, init, {6, 200}, {8}, {5, 64}});
      write({make, init, {3, 0, 3, 0, 3}, {13, 3}, {14}, {5, 9}});
      write({{0, who, 0xff}, init, {6, 8}, {7, 72}});
      write({{0, who, 2, 1}, init, {6, 200}, {8}});
    }
    for (uint8_t name = 0; name < 14; name++) {
      write({{0, who},
             {1, name, 0, 0, 8},
             {1, name, 3, 0, 40},
             {10, name, 4, 0, 20},
             {10, name, 6, 0, 1}});
    }
    for (uint8_t other = 0; other < 8; other++) {
      write({{0, who},
             {11, other},
             {12, other},
             {9, other},
             {15, 64, 0, 1},
             {16, 4, 3, 1},
             {17}});
    }
    for (uint8_t type = 0; type < 9; type++) {
      write({{0, who},
             {2, 0, 0, 0, 0},
             {3, 0, type, 0, 4},
             {3, 0, type, 1, 3},
             {2, 1, type, 4, 0},
             {6, 200},
             {7, 70}});
    }
  }
  write({{21, 0, 129, 64},
         {18, 16, 0, 7, 2},
         {20, 0, 129, 64},
         {20, 1, 129, 64}});
  write({{21, 2, 129, 64}, {19}, {20, 2, 129, 64}});
  write({{21, 1, 3, 8}, {18, 16, 0, 7, 2}, {21, 1, 3, 8}, {18, 4, 0, 7, 3}});
}

}  // namespace

}  // namespace tls_client_cert::fuzz

int main(int argc, char** argv) {
  using tls_client_cert::fuzz::TheWorld;
  REQUIRE(argc == 2);
  TheWorld();
  const std::filesystem::path out = argv[1];
  tls_client_cert::fuzz::WriteHandshakes({out, "handshake"});
  tls_client_cert::fuzz::WriteCredentials({out, "credential"});
  tls_client_cert::fuzz::WriteRequests({out, "request"});
  tls_client_cert::fuzz::WriteExternalKeys({out, "external-key"});
  return 0;
}
