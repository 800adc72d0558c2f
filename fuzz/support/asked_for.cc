#include "asked_for.h"

#include <openssl/ssl3.h>
#include <openssl/tls1.h>

#include <algorithm>

#include "certificate_request.h"
#include "conversation.h"
#include "distinguished_name.h"
#include "require.h"

namespace tls_client_cert::fuzz {

namespace {

using Kind = Instruction::Kind;

void Append(Bytes* to, BytesView bytes) {
  to->insert(to->end(), bytes.data, bytes.data + bytes.size);
}

void AppendVector(Bytes* to, size_t width, BytesView content) {
  const size_t size = std::min(content.size, (size_t{1} << (8 * width)) - 1);
  for (size_t i = width; i-- > 0;) {
    to->push_back(static_cast<uint8_t>(size >> (8 * i)));
  }
  Append(to, {content.data, size});
}

Bytes Compose(const Parts& parts, bool tls13) {
  if ((parts.flags & 1) != 0) {
    return Bytes(parts.at(0).data, parts.at(0).data + parts.at(0).size);
  }
  Bytes names;
  for (size_t i = 2; i < parts.parts.size(); i++) {
    AppendVector(&names, 2, parts.at(i));
  }
  Bytes body;
  if (!tls13) {
    AppendVector(&body, 1, parts.at(1));
    AppendVector(&body, 2, parts.at(0));
    AppendVector(&body, 2, names);
    return body;
  }
  Bytes extensions;
  const auto extension = [&](uint8_t type, BytesView list) {
    Bytes content;
    AppendVector(&content, 2, list);
    extensions.push_back(0);
    extensions.push_back(type);
    AppendVector(&extensions, 2, content);
  };
  extension(TLSEXT_TYPE_signature_algorithms, parts.at(0));
  if (parts.at(1).size > 0) {
    extension(TLSEXT_TYPE_signature_algorithms_cert, parts.at(1));
  }
  if (!names.empty()) extension(TLSEXT_TYPE_certificate_authorities, names);
  AppendVector(&body, 1, {});
  AppendVector(&body, 2, extensions);
  return body;
}

// A connection in which it is asked for, up to the answer and what it leads to.
void InConnection(const Parts& parts, bool tls13, bool later) {
  static const Recording nothing;
  Setting setting;
  setting.version = setting.server = tls13 ? 1 : 0;
  // The server's certificate is trusted as it is: one signature less to verify.
  setting.trust = 1;
  setting.answer = parts.flags >> 1 & 7;
  setting.auth = later ? test::ClientAuth::kLater : test::ClientAuth::kRequest;
  if (later && !tls13) setting.auth = test::ClientAuth::kNone;
  Conversation conversation(setting, nothing, {});
  const auto replace = [&] {
    conversation.tampering().ReplaceBody(SSL3_MT_CERTIFICATE_REQUEST,
                                         Compose(parts, tls13));
  };
  const auto perform = [&](Kind kind) { conversation.Perform({kind}); };
  if (!later) replace();
  for (int i = 0; i < 3; i++) {
    perform(Kind::kRun);
    if (conversation.client().asked()) break;
    perform(Kind::kReact);
  }
  if (later) {
    perform(Kind::kRun);
    replace();
    perform(Kind::kServerRequest);
    for (int i = 0; i < 4; i++) {
      perform(Kind::kRun);
      if (conversation.client().asked()) break;
      perform(Kind::kReact);
    }
  }
  if (!conversation.client().asked()) return;
  const CertificateRequest request = conversation.client().request();
  REQUIRE(tls13 ? request.certificate_types.empty()
                : request.certificate_types.size() <= 255);
  std::vector<BytesView> names;
  for (const Bytes& name : request.authorities) {
    // OpenSSL has read it as a name.
    ParseDistinguishedName(name);
    names.emplace_back(name);
  }
  REQUIRE(HaveCommonName(names, names) == !names.empty());
  perform(Kind::kFacts);
  perform(Kind::kReact);
  perform(Kind::kRun);
  perform(Kind::kReact);
  perform(Kind::kRun);
}

}  // namespace

void AskFor(const Parts& parts) {
  InConnection(parts, (parts.mode & 1) != 0, (parts.mode & 2) != 0);
}

}  // namespace tls_client_cert::fuzz
