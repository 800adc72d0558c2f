// An X.501 name as text and as a list.
#include "distinguished_name.h"

#include <doctest/doctest.h>
#include <openssl/err.h>

#include "pki.h"

namespace tls_client_cert::test {

namespace {

using Attributes = std::vector<std::pair<std::string, std::string>>;

Bytes Encode(const Attributes& attributes, int type = MBSTRING_UTF8) {
  const X509NamePointer name(X509_NAME_new());
  for (const auto& [key, value] : attributes) {
    REQUIRE(X509_NAME_add_entry_by_txt(
                name.get(), key.c_str(), type,
                reinterpret_cast<const unsigned char*>(value.data()),
                static_cast<int>(value.size()), -1, 0) == 1);
  }
  const uint8_t* der = nullptr;
  size_t size = 0;
  REQUIRE(X509_NAME_get0_der(name.get(), &der, &size) == 1);
  return Bytes(der, der + size);
}

}  // namespace

TEST_CASE("name: text runs backwards, the list as encoded") {
  const Attributes attributes = {
      {"C", "DE"}, {"O", "An Office"}, {"CN", "Root A"}};
  const auto name = ParseDistinguishedName(Encode(attributes));
  REQUIRE(name);
  CHECK(name->text == "CN=Root A,O=An Office,C=DE");
  CHECK(name->attributes ==
        Attributes{{"C", "DE"}, {"O", "An Office"}, {"CN", "Root A"}});
}

TEST_CASE("name: what RFC 4514 escapes is escaped, UTF-8 is not") {
  const auto name = ParseDistinguishedName(
      Encode({{"O", "Müller, Söhne + Co"}, {"CN", "#1 \"quoted\\\" "}}));
  REQUIRE(name);
  CHECK(name->text == "CN=\\#1 \\\"quoted\\\\\\\"\\ ,O=Müller\\, Söhne \\+ Co");
  CHECK(name->attributes[0].second == "Müller, Söhne + Co");
}

TEST_CASE("name: other string types come out as UTF-8") {
  const auto latin =
      ParseDistinguishedName(Encode({{"CN", "M\xfcller"}}, V_ASN1_T61STRING));
  REQUIRE(latin);
  CHECK(latin->attributes[0].second == "Müller");
}

TEST_CASE("name: an attribute without a name goes by its number") {
  const auto name =
      ParseDistinguishedName(Encode({{"1.2.3.4.5", "x"}, {"CN", "a"}}));
  REQUIRE(name);
  CHECK(name->attributes[0].first == "1.2.3.4.5");
  CHECK(name->attributes[0].second == "x");
  CHECK(name->text.rfind("CN=a,1.2.3.4.5=", 0) == 0);
}

TEST_CASE("name: an empty one is a name") {
  const auto name = ParseDistinguishedName(Bytes{0x30, 0x00});
  REQUIRE(name);
  CHECK(name->text.empty());
  CHECK(name->attributes.empty());
}

TEST_CASE("name: compared whatever its string types, case and blanks") {
  const Bytes utf8 = Encode({{"O", "An Office"}, {"CN", "Root A"}});
  const Bytes printable =
      Encode({{"O", "An Office"}, {"CN", "Root A"}}, V_ASN1_PRINTABLESTRING);
  const Bytes sloppy = Encode({{"O", " an  OFFICE"}, {"CN", "root a "}});
  const Bytes other = Encode({{"O", "An Office"}, {"CN", "Root B"}});
  const Bytes turned = Encode({{"CN", "Root A"}, {"O", "An Office"}});
  REQUIRE(utf8 != printable);
  CHECK(HaveCommonName({utf8}, {printable}));
  CHECK(HaveCommonName({printable}, {sloppy}));
  CHECK_FALSE(HaveCommonName({utf8}, {other, turned}));
  CHECK(HaveCommonName({other, utf8}, {turned, printable}));
  CHECK_FALSE(HaveCommonName({}, {utf8}));
  CHECK_FALSE(HaveCommonName({utf8}, {}));
}

TEST_CASE("name: what is none equals only the same bytes") {
  const Bytes whole = Encode({{"C", "DE"}, {"CN", "Root A"}});
  Bytes longer = whole;
  longer.push_back(0);
  CHECK_FALSE(HaveCommonName({whole}, {longer, BytesView()}));
  CHECK(HaveCommonName({longer, BytesView()}, {longer}));
  CHECK(HaveCommonName({BytesView()}, {BytesView()}));
  CHECK(ERR_peek_error() == 0);
}

TEST_CASE("name: what is none, cut short or with bytes behind") {
  const Bytes whole = Encode({{"C", "DE"}, {"CN", "Root A"}});
  for (size_t size = 0; size < whole.size(); size++) {
    const Bytes cut(whole.begin(),
                    whole.begin() + static_cast<std::ptrdiff_t>(size));
    CHECK_FALSE(ParseDistinguishedName(cut));
  }
  Bytes longer = whole;
  longer.push_back(0);
  CHECK_FALSE(ParseDistinguishedName(longer));
  CHECK_FALSE(ParseDistinguishedName(BytesView()));
  CHECK(ERR_peek_error() == 0);
}

}  // namespace tls_client_cert::test
