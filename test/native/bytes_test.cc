// The queue that ciphertext waits in: first in, first out, whatever storage
// it has at the time.
#include "bytes.h"

#include <doctest/doctest.h>

#include <string>

namespace tls_client_cert::test {

namespace {

// Of `size` bytes that tell their places: `from`, `from` + 1, ...
Bytes Counted(size_t size, size_t from = 0) {
  Bytes bytes(size);
  for (size_t i = 0; i < size; ++i) {
    bytes[i] = static_cast<uint8_t>((from + i) % 251);
  }
  return bytes;
}

void Append(ByteQueue* queue, const Bytes& bytes) {
  queue->Append(bytes.data(), bytes.size());
}

Bytes Take(ByteQueue* queue, size_t size) {
  Bytes out(size);
  out.resize(queue->Take(out.data(), size));
  return out;
}

Bytes Held(const ByteQueue& queue) {
  return Bytes(queue.data(), queue.data() + queue.size());
}

}  // namespace

TEST_CASE("a queue of bytes") {
  ByteQueue queue;
  CHECK(queue.empty());
  CHECK(queue.size() == 0);

  SUBCASE("gives back what was appended, in order, in any portions") {
    Append(&queue, Counted(10));
    Append(&queue, Counted(5, 10));
    CHECK(queue.size() == 15);
    CHECK(Take(&queue, 3) == Counted(3));
    CHECK(Held(queue) == Counted(12, 3));
    CHECK(Take(&queue, 100) == Counted(12, 3));
    CHECK(queue.empty());
    CHECK(Take(&queue, 1).empty());
  }

  SUBCASE("takes nothing of no size") {
    queue.Append(nullptr, 0);
    CHECK(queue.empty());
    Append(&queue, Counted(4));
    queue.Append(nullptr, 0);
    CHECK(Take(&queue, 0).empty());
    CHECK(Held(queue) == Counted(4));
  }

  SUBCASE("holds of its room only what was committed") {
    const Bytes bytes = Counted(3);
    uint8_t* room = queue.Room(1000);
    REQUIRE(room != nullptr);
    std::memset(room, 0xff, 1000);
    std::memcpy(room, bytes.data(), bytes.size());
    CHECK(queue.empty());
    queue.Commit(3);
    CHECK(Held(queue) == bytes);
    // Room that nobody used is there again.
    uint8_t* more = queue.Room(10);
    CHECK(more == queue.data() + 3);
    queue.Commit(0);
    Append(&queue, Counted(2, 3));
    CHECK(Held(queue) == Counted(5));
  }

  SUBCASE("keeps what it holds when it grows") {
    size_t in = 0;
    for (size_t size = 1; size < 3000; size += 7) {
      Append(&queue, Counted(size, in));
      in += size;
    }
    CHECK(queue.size() == in);
    CHECK(Held(queue) == Counted(in));
  }

  SUBCASE("moves its rest down, and goes on in order, however long it runs") {
    size_t in = 0;
    size_t out = 0;
    for (size_t round = 0; round < 5000; ++round) {
      const size_t size = 1 + round * 37 % 900;
      Append(&queue, Counted(size, in));
      in += size;
      // Never empty, so that the storage is never begun anew.
      const size_t taken = queue.size() - 1 - round % 13 % queue.size();
      REQUIRE(Take(&queue, taken) == Counted(taken, out));
      out += taken;
    }
    CHECK(Held(queue) == Counted(in - out, out));
  }

  SUBCASE("moves down instead of growing when most of it was read") {
    Append(&queue, Counted(1000));
    const uint8_t* begin = queue.data();
    queue.Drop(900);
    Append(&queue, Counted(800, 1000));
    CHECK(queue.data() == begin);
    CHECK(Held(queue) == Counted(900, 900));
  }

  SUBCASE("drops from the front") {
    Append(&queue, Counted(10));
    queue.Drop(0);
    CHECK(queue.size() == 10);
    queue.Drop(4);
    CHECK(Held(queue) == Counted(6, 4));
    queue.Drop(6);
    CHECK(queue.empty());
    Append(&queue, Counted(3));
    CHECK(Held(queue) == Counted(3));
  }

  SUBCASE("is cleared, and used again") {
    for (const size_t size : {10, 100'000}) {
      Append(&queue, Counted(size));
      queue.Clear();
      CHECK(queue.empty());
      Append(&queue, Counted(20, 7));
      CHECK(Held(queue) == Counted(20, 7));
      queue.Clear();
    }
  }
}

TEST_CASE("storage that is lent to a queue") {
  Storage storage(100);
  const uint8_t* memory = storage.memory.get();
  ByteQueue queue;

  SUBCASE("is used, and given back") {
    queue.Lend(&storage);
    CHECK(storage.memory == nullptr);
    CHECK(storage.size == 0);
    Append(&queue, Counted(100));
    CHECK(queue.data() == memory);
    CHECK(Take(&queue, 100) == Counted(100));
    queue.Return(&storage);
    CHECK(storage.memory.get() == memory);
    CHECK(storage.size == 100);
    CHECK(queue.empty());
    Append(&queue, Counted(5));
    CHECK(Held(queue) == Counted(5));
  }

  SUBCASE("leaves behind what is still in it") {
    queue.Lend(&storage);
    Append(&queue, Counted(50));
    queue.Drop(20);
    queue.Return(&storage);
    CHECK(storage.memory.get() == memory);
    // Whoever gets it next may write all over it.
    std::memset(storage.memory.get(), 0xff, storage.size);
    CHECK(Held(queue) == Counted(30, 20));
    Append(&queue, Counted(300, 50));
    CHECK(Held(queue) == Counted(330, 20));
  }

  SUBCASE("is given back larger when it had to grow") {
    queue.Lend(&storage);
    Append(&queue, Counted(90));
    queue.Drop(1);
    Append(&queue, Counted(1000, 90));
    CHECK(Held(queue) == Counted(1089, 1));
    queue.Return(&storage);
    CHECK(storage.size >= 1089);
    CHECK(Held(queue) == Counted(1089, 1));
  }

  SUBCASE("is kept while it is lent, however often it runs empty") {
    storage = Storage(100'000);
    memory = storage.memory.get();
    queue.Lend(&storage);
    for (int round = 0; round < 3; ++round) {
      Append(&queue, Counted(50'000));
      queue.Drop(50'000);
      Append(&queue, Counted(10));
      CHECK(queue.data() == memory);
      queue.Clear();
    }
    queue.Return(&storage);
    CHECK(storage.memory.get() == memory);
    CHECK(storage.size == 100'000);
  }

  SUBCASE("is not taken by a queue that holds something") {
    Append(&queue, Counted(10));
    queue.Lend(&storage);
    CHECK(storage.memory.get() == memory);
    CHECK(Held(queue) == Counted(10));
    // Nor is there anything to give back.
    queue.Return(&storage);
    CHECK(storage.memory.get() == memory);
    CHECK(storage.size == 100);
    CHECK(Held(queue) == Counted(10));
  }

  SUBCASE("is taken once") {
    queue.Lend(&storage);
    Storage second(200);
    const uint8_t* other = second.memory.get();
    queue.Lend(&second);
    CHECK(second.memory.get() == other);
    Append(&queue, Counted(10));
    CHECK(queue.data() == memory);
    queue.Return(&storage);
    queue.Return(&second);
    CHECK(storage.memory.get() == memory);
    CHECK(second.memory.get() == other);
    CHECK(Held(queue) == Counted(10));
  }

  SUBCASE("may be nothing yet") {
    Storage none;
    queue.Lend(&none);
    Append(&queue, Counted(10'000));
    queue.Drop(9'999);
    queue.Return(&none);
    CHECK(none.size >= 10'000);
    CHECK(Held(queue) == Counted(1, 9'999));
  }

  SUBCASE("serves one queue after another") {
    ByteQueue other;
    for (size_t round = 0; round < 4; ++round) {
      queue.Lend(&storage);
      Append(&queue, Counted(40, round));
      queue.Return(&storage);
      other.Lend(&storage);
      Append(&other, Counted(40, 100 + round));
      other.Return(&storage);
      CHECK(Take(&queue, 40) == Counted(40, round));
      CHECK(Take(&other, 40) == Counted(40, 100 + round));
    }
    CHECK(storage.memory.get() == memory);
  }
}

}  // namespace tls_client_cert::test
