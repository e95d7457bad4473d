// The engine's part in the Wyoming server: opened after everything it uses, closed first.
#include "api/wyoming.h"
#include "app/engine.h"

namespace mainstay::app {

Status Engine::open_wyoming() {
  if (settings_.wyoming.listen.empty() || options_.listens != Listens::everywhere) return done();
  constexpr auto kStop = std::chrono::seconds(4);
  Part part{"wyoming",
            [this]() -> Status {
              const auto in_force = [this] {
                auto generation = live_->get();
                api::WyomingInForce out;
                out.rooms = &generation->rooms();
                out.held = std::move(generation);
                return out;
              };
              wyoming_ =
                  std::make_unique<api::WyomingServer>(settings_.wyoming, clock_, *log_, metrics_,
                                                       *loops_->contexts().front(), in_force);
              return wyoming_->open();
            },
            [this, kStop] { return wyoming_->stop(kStop); }, kStop + std::chrono::seconds(1)};
  return lifecycle_.start(std::move(part));
}

}  // namespace mainstay::app
