#include "der_tree.h"

#include <random>
#include <utility>
#include <vector>

namespace tls_client_cert::fuzz {

namespace {

constexpr int kMostDepth = 24;
constexpr uint8_t kConstructed = 0x20;
constexpr uint8_t kOctetString = 0x04;
constexpr uint8_t kBitString = 0x03;

struct Node {
  uint8_t tag = 0;
  Bytes content;  // of a leaf; in front of the children of a BIT STRING
  std::vector<Node> children;
  int lie = 0;  // added to the length that is written
};

// All of `bytes` as elements, one after another.
bool Parse(BytesView bytes, int depth, std::vector<Node>* out) {
  size_t at = 0;
  while (at < bytes.size) {
    if (depth > kMostDepth || bytes.size - at < 2) return false;
    Node node;
    node.tag = bytes.data[at];
    size_t size = bytes.data[at + 1];
    at += 2;
    if ((node.tag & 0x1f) == 0x1f || size == 0x80) return false;
    if (size > 0x80) {
      const size_t width = size & 0x7f;
      if (width > 3 || bytes.size - at < width) return false;
      size = 0;
      for (size_t i = 0; i < width; i++) size = size << 8 | bytes.data[at++];
    }
    if (bytes.size - at < size) return false;
    const BytesView inside(bytes.data + at, size);
    at += size;
    const size_t unused = node.tag == kBitString && size > 0 ? 1 : 0;
    const bool wraps = node.tag == kOctetString || node.tag == kBitString;
    const BytesView inner(inside.data + unused, size - unused);
    if ((node.tag & kConstructed) != 0 || (wraps && inner.size > 2)) {
      if (Parse(inner, depth + 1, &node.children)) {
        node.content.assign(inside.data, inside.data + unused);
      } else {
        node.children.clear();
      }
    }
    if (node.children.empty()) {
      node.content.assign(inside.data, inside.data + inside.size);
    }
    out->push_back(std::move(node));
  }
  return true;
}

void Write(const Node& node, Bytes* out) {
  Bytes inside = node.content;
  for (const Node& child : node.children) Write(child, &inside);
  const size_t size = inside.size() + static_cast<size_t>(node.lie);
  out->push_back(node.tag);
  if (size < 0x80) {
    out->push_back(static_cast<uint8_t>(size));
  } else {
    const int width = size > 0xffff ? 3 : size > 0xff ? 2 : 1;
    out->push_back(static_cast<uint8_t>(0x80 | width));
    for (int i = width - 1; i >= 0; i--) {
      out->push_back(static_cast<uint8_t>(size >> (8 * i)));
    }
  }
  out->insert(out->end(), inside.begin(), inside.end());
}

struct Place {
  std::vector<Node>* siblings;
  size_t index;
};

void Collect(std::vector<Node>* nodes, std::vector<Place>* out) {
  for (size_t i = 0; i < nodes->size(); i++) {
    out->push_back({nodes, i});
    Collect(&(*nodes)[i].children, out);
  }
}

}  // namespace

Bytes MutateDer(const Bytes& der, unsigned seed,
                const std::function<Bytes(Bytes)>& mutate) {
  std::vector<Node> roots;
  if (der.empty() || !Parse(der, 0, &roots)) return mutate(der);
  std::vector<Place> places;
  Collect(&roots, &places);
  std::minstd_rand random(seed ^ 0x5a5a5a5a);
  const auto below = [&](size_t limit) {
    return static_cast<size_t>(random()) % limit;
  };
  // Half of the times any, and else step by step: what stands beside a large
  // structure is to be met as often as the whole of that.
  Place place = places[below(places.size())];
  if (below(2) == 0) {
    place = {&roots, below(roots.size())};
    while (true) {
      std::vector<Node>& inner = (*place.siblings)[place.index].children;
      if (inner.empty() || below(4) == 0) break;
      place = {&inner, below(inner.size())};
    }
  }
  std::vector<Node>& siblings = *place.siblings;
  Node& node = siblings[place.index];
  const auto position = siblings.begin() + static_cast<ptrdiff_t>(place.index);
  // What is in it as bytes, which may have been a structure.
  const auto flatten = [&] {
    Bytes inside;
    for (const Node& child : node.children) Write(child, &inside);
    node.children.clear();
    node.content.insert(node.content.end(), inside.begin(), inside.end());
  };
  switch (below(10)) {
    case 0:
      siblings.erase(position);
      break;
    case 1: {
      Node copy = node;
      siblings.insert(position, std::move(copy));
      break;
    }
    case 2: {  // another one in its place, which may hold it
      const Place from = places[below(places.size())];
      Node copy = (*from.siblings)[from.index];
      node = std::move(copy);
      break;
    }
    case 3: {
      // Those that mean something, or a neighbour of the one that is there.
      static const uint8_t tags[] = {0x01, 0x02, 0x03, 0x04, 0x05, 0x06,
                                     0x0c, 0x13, 0x14, 0x16, 0x17, 0x18,
                                     0x1c, 0x1e, 0x30, 0x31, 0xa0, 0xa1};
      node.tag = below(2) == 0
                     ? tags[below(sizeof(tags))]
                     : static_cast<uint8_t>(node.tag ^ 1u << below(8));
      break;
    }
    case 4:
      node.lie = static_cast<int>(below(5)) - 2;
      break;
    case 5:
      node.content.clear();
      node.children.clear();
      break;
    case 6:
      flatten();
      node.content.resize(below(node.content.size() + 1));
      break;
    case 7: {
      flatten();
      const Bytes again = node.content;
      node.content.insert(node.content.end(), again.begin(), again.end());
      break;
    }
    default:
      flatten();
      node.content = mutate(node.content);
  }
  Bytes out;
  for (const Node& root : roots) Write(root, &out);
  return out;
}

}  // namespace tls_client_cert::fuzz
