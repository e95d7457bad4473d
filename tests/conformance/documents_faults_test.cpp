// An ingest whose calls fail now and then, before or after they took effect: whoever begins again
// and goes on gets the whole document once.
#include "conformance/documents_rig.h"

namespace mainstay::storage {
namespace {

enum class Fate { works, fails_before, answer_lost };

/// Drives one ingest to its end, as a job does: after any error from begin() on.
class Ingest {
 public:
  /// `fate` is asked once for each call.
  Ingest(Ground& ground, std::function<Documents&()> face, std::function<Fate()> fate)
      : ground_(ground), face_(std::move(face)), fate_(std::move(fate)) {}

  Result<Added> run(const NewDocument& head, const std::vector<std::vector<Chunk>>& pieces) {
    for (int attempts = 0; attempts < 50; ++attempts) {
      auto added = attempt(head, pieces);
      if (added.ok()) return added;
      EXPECT_EQ(added.error().detail, "made to fail");
    }
    return Error::log(Errc::internal, "never ended");
  }

 private:
  template <class T>
  Result<T> call(Co<Result<T>> work) {
    const Fate fate = fate_();
    const Error lost = Error::log(Errc::unavailable, "made to fail");
    if (fate == Fate::fails_before) return lost;
    auto out = ground_.run(std::move(work));
    if (fate == Fate::answer_lost) return lost;
    return out;
  }
  Result<Added> attempt(const NewDocument& head, const std::vector<std::vector<Chunk>>& pieces) {
    const TenantId tenant("clinic");
    auto begun = call(face_().begin(tenant, head, ground_.soon()));
    if (!begun.ok()) return begun.error();
    if (begun->document.state == DocumentState::ready) {
      Added added;
      added.document = begun->document;
      return added;
    }
    const std::size_t from = begun->checkpoint.empty() ? 0 : std::stoul(begun->checkpoint);
    std::uint64_t seq = begun->document.chunks;
    for (std::size_t i = from; i < pieces.size(); ++i) {
      auto stored = call(
          face_().append(tenant, head.id, seq, pieces[i], std::to_string(i + 1), ground_.soon()));
      if (!stored.ok()) return stored.error();
      seq = *stored;
    }
    return call(face_().finish(tenant, head.id, "sha", Bytes{99}, "", ground_.soon()));
  }
  Ground& ground_;
  std::function<Documents&()> face_;
  std::function<Fate()> fate_;
};

// proves K3
TEST_P(DocumentsFace, an_ingest_whose_nth_call_fails_ends_with_the_whole_document_once) {
  std::vector<std::vector<Chunk>> pieces;
  for (std::uint64_t i = 0; i < 4; ++i) pieces.push_back(chunks_from(i * 3, 3, "narwhal"));
  int id = 100;
  for (const Fate bad : {Fate::fails_before, Fate::answer_lost}) {
    for (int nth = 1; nth <= 6; ++nth) {  // begin, four pieces, finish
      int calls = 0;
      Ingest ingest(
          ground_, [this]() -> Documents& { return face(); },
          [&] { return ++calls == nth ? bad : Fate::works; });
      ++id;
      NewDocument head = document_of(id, "c" + std::to_string(id));
      head.chunks.clear();
      head.sha256 = "";
      auto added = ingest.run(head, pieces);
      ASSERT_TRUE(added.ok());
      EXPECT_EQ(added->document.chunks, 12u) << nth;
      EXPECT_EQ(search("narwhal", 50, head.collection).size(), 12u) << nth;
      auto stored = chunks(clinic_, head.id.text(), 0, 50);
      ASSERT_TRUE(stored.ok());
      for (std::uint64_t i = 0; i < 12; ++i) {
        EXPECT_EQ((*stored)[i].text, "narwhal " + std::to_string(i));
      }
    }
  }
  EXPECT_EQ(sweep_all(), 1) << "nothing was begun twice";
}

TEST_P(DocumentsFace, an_ingest_with_many_failures_ends_with_the_whole_document_once) {
  std::vector<std::vector<Chunk>> pieces;
  for (std::uint64_t i = 0; i < 8; ++i) pieces.push_back(chunks_from(i * 2, 2, "beluga"));
  for (int round = 0; round < 10; ++round) {
    Ingest ingest(
        ground_, [this]() -> Documents& { return face(); },
        [&] {
          const auto dice = ground_.random.below(6);
          return dice == 0 ? Fate::fails_before : dice == 1 ? Fate::answer_lost : Fate::works;
        });
    NewDocument head = document_of(round, "c" + std::to_string(round));
    head.chunks.clear();
    head.sha256 = "";
    auto added = ingest.run(head, pieces);
    ASSERT_TRUE(added.ok());
    EXPECT_EQ(search("beluga", 50, head.collection).size(), 16u);
    EXPECT_EQ(get(clinic_, head.id.text())->chunks, 16u);
  }
}

}  // namespace
}  // namespace mainstay::storage
