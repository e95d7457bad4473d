// The engine's part in sound: the processes that decode, hear and speak, and where spoken answers
// are kept. No process is started before the first recording or text comes.
#include "app/engine.h"

namespace mainstay::app {
namespace {

/// How often kept audio is looked through for what is over, and the disk for room.
constexpr auto kLookEvery = std::chrono::seconds(15);

Co<> look_after(storage::AudioStore& store, Clock& clock) {
  for (;;) {
    co_await store.look();
    auto slept = co_await sleep(clock, kLookEvery);
    if (!slept) co_return;
  }
}

}  // namespace

/// Stopped after the listener, so that requests under way keep their processes. What serves nobody
/// keeps no audio: the folder is the server's alone.
Status Engine::start_audio() {
  Part part{"audio",
            [this]() -> Status {
              sound_ = std::make_unique<media::Audio>(settings_.sound,
                                                      media::find_audio(settings_.sound.program),
                                                      clock_, *log_, metrics_);
              if (options_.listens != Listens::everywhere) return done();
              const std::string& folder = settings_.audio.folder;
              auto store = storage::open_audio_store(
                  {settings_.audio, folder.empty() ? data_dir_ + "/audio" : folder, *pool_, clock_,
                   random_, *log_, metrics_});
              if (!store.ok()) return store.error();
              audio_store_ = std::move(*store);
              return done();
            },
            [this] {
              sound_->close();
              return done();
            }};
  return lifecycle_.start(std::move(part));
}

void Engine::keep_audio() {
  loops_->spawn("audio.tidy", [this] { return sound_->tidy(); });
  if (audio_store_) {
    loops_->spawn("audio.keep", [this] { return look_after(*audio_store_, clock_); });
  }
}

}  // namespace mainstay::app
