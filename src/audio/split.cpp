// The calling thread reads packets, checks seams and hands samples on; workers decode.
#include "audio/split.h"

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <span>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace mainstay::audio {
namespace {

constexpr double kLong = 60;  ///< seconds; below, a second thread is not worth its start
constexpr std::size_t kWindow = 192'000;   ///< samples of one window: four are held on two cores
constexpr std::size_t kPacketsMax = 8192;  ///< of one window
constexpr std::size_t kBytesMax = 384 << 10;
constexpr std::size_t kSeam = 3;         ///< packets whose samples are compared
constexpr std::uint32_t kRedoneMax = 3;  ///< and more than a quarter: cutting does not pay here

/// How much earlier a decoder must begin to be in the same state.
struct Lead {
  std::size_t packets = 0;
  std::size_t bytes = 0;
  double seconds = 0;
  std::size_t window = kWindow;  ///< longer where the lead is long
};

/// Null: it must not be cut.
const Lead* lead_of(AVCodecID codec) {
  // FLAC's frames stand alone; MP3's look back at most 511 bytes, and overlap with one frame.
  static constexpr Lead kFlac{kSeam, 0, 0};
  static constexpr Lead kVorbis{kSeam + 2, 0, 0};
  static constexpr Lead kMp3{kSeam + 4, 2048, 0};
  // Its bands are told relative to the last frame's: the difference halves with every frame of 20
  // ms, and was gone to the last bit after 29 of them.
  static constexpr Lead kOpus{kSeam + 37, 0, 0.8, 2 * kWindow};
  switch (codec) {
    case AV_CODEC_ID_FLAC:
      return &kFlac;
    case AV_CODEC_ID_VORBIS:
      return &kVorbis;
    case AV_CODEC_ID_MP3:
      return &kMp3;
    case AV_CODEC_ID_OPUS:
      return &kOpus;
    default:
      return nullptr;
  }
}

/// Used again when it is done with: a file allocates the same few, whatever its length.
struct Window {
  std::vector<Packet> packets;  ///< the first `count` of them; the others are empty
  std::vector<double> seconds;  ///< of each packet
  std::size_t count = 0;
  const Window* before = nullptr;  ///< whose end is decoded first and not given out
  std::size_t lead = 0;            ///< so many of its last packets
  bool own = false;                ///< has a decoder of its own: its seam is to be checked
  bool done = false;               ///< under the lock
  // The worker's:
  Decoder decoder;
  Block block;
  std::vector<float> lead_end;  ///< samples of the lead's last kSeam packets
  std::vector<float> end;       ///< of the window's

  std::span<const Packet> whole() const noexcept { return {packets.data(), count}; }
  std::span<const Packet> last(std::size_t some) const noexcept { return whole().last(some); }
  void empty_block() {
    block.clear();
    block.refused.reset();
  }
};

/// Decodes packets into `out`; into `end` what the last kSeam of them gave.
void decode(Decoder& decoder, std::span<const Packet> packets, Block& out,
            std::vector<float>& end) {
  std::size_t mark = 0;
  for (std::size_t i = 0; i < packets.size(); ++i) {
    if (i + kSeam == packets.size()) mark = out.samples.size();
    decoder.feed(packets[i].get(), out);
  }
  end.assign(out.samples.begin() + static_cast<std::ptrdiff_t>(mark), out.samples.end());
}

bool same(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

/// Threads that decode windows, and windows in order.
class Workers {
 public:
  /// `samples`: of a window.
  Workers(const AVCodecParameters& codec, const media::SoundOrder& order, std::uint32_t count,
          std::size_t samples)
      : codec_(codec), order_(order), samples_(samples) {
    try {
      for (std::uint32_t i = 0; i < count; ++i) {
        threads_.emplace_back(
            [this] { work(); });  // lint: thread decodes beside the one that reads
      }
    } catch (const std::system_error&) {
      // The machine has no more threads: those that there are do the work, or who waits for it
      // does.
    }
  }
  ~Workers() {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    for (auto& thread : threads_) thread.join();
  }
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  void add(Window& window) {
    {
      std::lock_guard lock(mutex_);
      waiting_.push_back(&window);
    }
    changed_.notify_all();
  }
  void wait(const Window& window) {
    if (threads_.empty() && !window.done) {
      Window& next = *waiting_.front();
      waiting_.pop_front();
      return carry_out(next);
    }
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&window] { return window.done; });
  }

 private:
  void work() {
    for (;;) {
      Window* window = nullptr;
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
        if (stopping_) return;
        window = waiting_.front();
        waiting_.pop_front();
      }
      carry_out(*window);
      {
        std::lock_guard lock(mutex_);
        window->done = true;
      }
      changed_.notify_all();
    }
  }
  void carry_out(Window& window) {
    window.block.samples.reserve(samples_ + samples_ / 16);  // grown, it would be twice that
    if (!window.own) {  // there is one worker then: the windows come in order
      if (!decoder_.opened()) window.block.refused = decoder_.open(codec_, order_);
      if (decoder_.opened()) decode(decoder_, window.whole(), window.block, window.end);
      return;
    }
    window.block.refused = window.decoder.open(codec_, order_);
    if (window.block.refused) return;
    if (window.before != nullptr) {
      decode(window.decoder, window.before->last(window.lead), window.block, window.lead_end);
      window.empty_block();
    }
    decode(window.decoder, window.whole(), window.block, window.end);
  }

  const AVCodecParameters& codec_;
  const media::SoundOrder& order_;
  const std::size_t samples_;
  Decoder decoder_;  ///< of a codec that is not cut
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  std::deque<Window*> waiting_;
  std::vector<std::thread> threads_;  // lint: thread as above

 public:
  /// Of a codec that is not cut; only when nothing waits.
  Decoder& decoder() noexcept { return decoder_; }
};

/// One file under way.
class Splitting {
 public:
  Splitting(Container& container, const media::SoundOrder& order,
            const std::function<bool(Block&)>& take)
      : container_(container),
        take_(take),
        lead_(lead_of(container.parameters().codec_id)),
        samples_(lead_ != nullptr ? lead_->window : kWindow),
        ahead_(lead_ != nullptr ? order.threads + 1 : 2),
        workers_(container.parameters(), order, lead_ != nullptr ? order.threads : 1, samples_) {}

  SplitOutcome run() {
    for (;;) {
      while (!ended_ && under_way_.size() < ahead_) read_window();
      if (under_way_.empty()) break;
      Window& window = *under_way_.front();
      under_way_.pop_front();
      workers_.wait(window);
      if (!join(window)) break;
    }
    return outcome_;
  }

 private:
  void read_window();
  bool fill(Window& window);
  void choose_lead(Window& window) const;
  bool join(Window& window);
  Window& take_spare();
  void let_go(Window* window);
  bool given_up() const noexcept {
    return outcome_.redone >= kRedoneMax && outcome_.redone * 4 > outcome_.pieces;
  }
  bool take(Block& block) {
    if (block.refused && block.samples.empty()) outcome_.refused = block.refused;
    if (outcome_.refused) return false;
    const bool more = take_(block);
    if (block.refused) outcome_.refused = block.refused;
    return more && !block.refused;
  }

  Container& container_;
  const std::function<bool(Block&)>& take_;
  const Lead* const lead_;
  const std::size_t samples_;  ///< of a window
  const std::size_t ahead_;
  SplitOutcome outcome_;
  bool ended_ = false;
  std::vector<std::unique_ptr<Window>> all_;
  std::vector<Window*> spare_;
  Window* last_read_ = nullptr;    ///< the next one's lead is its end
  Window* last_joined_ = nullptr;  ///< the next one's seam is compared with its end
  std::deque<Window*> under_way_;
  Workers workers_;  ///< ends first
};

Window& Splitting::take_spare() {
  if (spare_.empty()) {
    all_.push_back(std::make_unique<Window>());
    spare_.push_back(all_.back().get());
  }
  Window& out = *spare_.back();
  spare_.pop_back();
  out.count = 0;
  out.seconds.clear();
  out.before = nullptr;
  out.lead = 0;
  out.done = false;
  out.decoder = Decoder();
  return out;
}

/// It can be used again, unless something still looks at it.
void Splitting::let_go(Window* window) {
  if (window == nullptr || window == last_read_ || window == last_joined_) return;
  const auto waits = std::find(under_way_.begin(), under_way_.end(), window);
  if (waits == under_way_.end()) spare_.push_back(window);
}

/// Packets until it is full; false: there were none.
bool Splitting::fill(Window& window) {
  const auto rate = std::max(container_.parameters().sample_rate, 8000);
  const double enough = static_cast<double>(samples_) / rate;
  const double tick = container_.tick();
  double seconds = 0;
  std::size_t bytes = 0;
  while (seconds < enough && bytes < kBytesMax && window.count < kPacketsMax) {
    if (window.count == window.packets.size()) window.packets.emplace_back(av_packet_alloc());
    AVPacket* const packet = window.packets[window.count].get();
    if (packet == nullptr) break;
    const auto got = container_.next(packet);
    if (got != Container::Read::packet) {
      ended_ = true;
      outcome_.broken = got == Container::Read::broken;
      break;
    }
    // Some demuxers lend their buffer; it must last until a worker has read it.
    if (av_packet_make_refcounted(packet) < 0) break;
    const double lasts = static_cast<double>(std::max<std::int64_t>(packet->duration, 0)) * tick;
    seconds += lasts > 0 ? lasts : 0.01;
    bytes += static_cast<std::size_t>(packet->size);
    window.seconds.push_back(lasts);
    ++window.count;
  }
  return window.count > 0;
}

void Splitting::read_window() {
  Window& window = take_spare();
  if (!fill(window)) {
    spare_.push_back(&window);
    return;
  }
  window.own = lead_ != nullptr;
  if (window.own) choose_lead(window);
  under_way_.push_back(&window);
  let_go(std::exchange(last_read_, &window));
  if (given_up()) {
    ++outcome_.undivided;
    window.done = true;  // no worker has it: it is decoded behind the last one
  } else {
    workers_.add(window);
  }
}

/// The end of what was read before. It stays as it is until this window is joined.
void Splitting::choose_lead(Window& window) const {
  if (last_read_ == nullptr) return;
  const Window& before = *last_read_;
  std::size_t count = 0;
  std::size_t bytes = 0;
  double seconds = 0;
  while (count < before.count &&
         (count < lead_->packets || bytes < lead_->bytes || seconds < lead_->seconds)) {
    ++count;
    bytes += static_cast<std::size_t>(before.packets[before.count - count]->size);
    seconds += before.seconds[before.count - count];
  }
  window.before = &before;
  window.lead = count;
}

/// Checks the seam and hands the samples on; false: enough.
bool Splitting::join(Window& window) {
  if (window.own) {
    ++outcome_.pieces;
    const bool decoded = window.decoder.opened() || window.block.refused.has_value();
    const bool fits =
        decoded && (last_joined_ == nullptr || same(window.lead_end, last_joined_->end));
    if (!fits) {
      ++outcome_.redone;
      window.decoder = std::move(last_joined_->decoder);
      window.empty_block();
      decode(window.decoder, window.whole(), window.block, window.end);
    }
  }
  const bool last = ended_ && under_way_.empty();
  Decoder& decoder = window.own ? window.decoder : workers_.decoder();
  if (last && decoder.opened()) decoder.feed(nullptr, window.block);
  const bool more = take(window.block);
  window.empty_block();
  let_go(std::exchange(last_joined_, &window));
  return more;
}

}  // namespace

bool worth_splitting(const media::SoundOrder& order, const Source& source, const Facts& facts,
                     AVCodecID codec) {
  const bool cheap = codec >= AV_CODEC_ID_FIRST_AUDIO && codec < AV_CODEC_ID_ADPCM_IMA_QT;  // PCM
  constexpr std::uint64_t kSmall = 64 << 10;
  return order.threads > 1 && source.seekable() && source.size() >= kSmall && !cheap &&
         facts.seconds.value_or(kLong) >= kLong;
}

SplitOutcome decode_split(Container& container, const media::SoundOrder& order,
                          const std::function<bool(Block&)>& take) {
  Splitting splitting(container, order, take);
  SplitOutcome out = splitting.run();
  out.pieces = std::max(out.pieces, 1U);
  return out;
}

}  // namespace mainstay::audio
