// /v1/models.
#include "api/routes.h"
#include "base/text.h"

namespace mainstay::api {
namespace {

Json model_json(const models::ModelInfo& info) {
  Json capabilities = Json::array();
  if (info.task == "chat") capabilities = Json::array({"chat", "stream"});
  if (info.task != "chat") capabilities.push_back(info.task);
  if (info.tools && info.task == "chat") capabilities.push_back("tools");
  if (info.images) capabilities.push_back("images");
  Json out = {{"id", info.id},
              {"object", "model"},
              {"created", 0},
              {"owned_by", info.provider},
              {"loaded", info.loaded},
              {"state", info.state},
              {"capabilities", capabilities}};
  if (!info.description.empty()) out["description"] = info.description;
  if (info.context > 0) out["context_window"] = info.context;
  return out;
}

}  // namespace

Co<Status> list_models(const Rooms& rooms, Context& context) {
  auto models = co_await rooms.models.list(context.by);
  if (!models.ok()) co_return models.error();
  Json out = {{"object", "list"}, {"data", Json::array()}};
  for (const auto& model : *models) out["data"].push_back(model_json(model));
  auto sent = co_await reply_json(context, 200, dump(out));
  co_return sent;
}

Co<Status> get_model(const Rooms& rooms, Context& context) {
  auto models = co_await rooms.models.list(context.by);
  if (!models.ok()) co_return models.error();
  std::vector<std::string> names;
  for (const auto& model : *models) {
    if (model.id == context.param) {
      auto sent = co_await reply_json(context, 200, dump(model_json(model)));
      co_return sent;
    }
    names.push_back(model.id);
  }
  const auto other = rooms.models.find(context.param);
  if (other) {
    auto sent = co_await reply_json(context, 200, dump(model_json(*other)));
    co_return sent;
  }
  const std::string near = nearest(context.param, names);
  co_return Error::say(Errc::not_found, "unknown_model",
                       "The model is not known." + (near.empty() ? " GET /v1/models lists what is."
                                                                 : " Did you mean '" + near + "'?"),
                       "model");
}

}  // namespace mainstay::api
