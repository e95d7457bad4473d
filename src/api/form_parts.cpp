// Events of a FormStream to a FormParts.
#include "api/form_parts.h"

namespace mainstay::api {

Co<Status> read_form(Context& context, FormParts& parts, Bytes file_max, const char* param) {
  auto form = FormStream::open(context, Bytes(file_max.value + kFormRest), param);
  if (!form.ok()) co_return form.error();
  FormParts::Place place;
  for (;;) {
    auto event = co_await form->next();
    if (!event.ok()) co_return event.error();
    if (*event == Multipart::Event::end) co_return done();
    if (*event == Multipart::Event::part) {
      auto begun = parts.begin(form->head());
      if (!begun.ok()) co_return begun.error();
      place = *begun;
    } else if (*event == Multipart::Event::data && place.file) {
      std::string bytes(form->data());
      auto taken = co_await parts.take(context, std::move(bytes));
      if (!taken.ok()) co_return taken;
    } else if (*event == Multipart::Event::data && place.text != nullptr) {
      place.text->append(form->data());
      if (place.text->size() > kFormFieldMax) {
        co_return Error::say(Errc::invalid, "field_too_long", "A field of the form is too long.",
                             form->head().name);
      }
    }
  }
}

}  // namespace mainstay::api
