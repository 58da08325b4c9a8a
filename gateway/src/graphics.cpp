#include "graphics.h"

namespace epe::gateway {

const char* const kFigureColumns =
    "pg_catalog.convert_to(name, 'UTF8'), id::pg_catalog.text, "
    "pg_catalog.convert_to(value, 'UTF8'), pg_catalog.convert_to(title, 'UTF8'), "
    "pg_catalog.translate(pg_catalog.encode(image, 'base64'), E'\\n', '')";
const char* const kFigureList = "t(name text, id int, value text, title text, image bytea)";

Figure figure_of(const QueryResult& row) {
    const auto text = [&](int column) -> Parameter {
        if (row.is_null(0, column)) return std::nullopt;
        return std::string(row.value(0, column));
    };
    return {text(0).value_or(""), text(1), text(2).value_or("null"), text(3), text(4)};
}

namespace {

std::string object_of(const Figure& figure) {
    Json object;
    object["IMAGE"] = figure.image ? Json(*figure.image) : Json();
    object["DATA"] = figure.value;
    object["ID"] = figure.id ? Json(std::stoi(*figure.id)) : Json();
    if (figure.title) object["TITLE"] = *figure.title;
    return to_text(object);
}

}  // namespace

std::string graphics_result(const std::vector<Figure>& figures, RunKind kind) {
    const bool is_named = kind != RunKind::kEval && kind != RunKind::kTable;
    std::string result;
    const Figure* last = nullptr;
    for (const Figure& figure : figures) {
        if (last != nullptr && (!is_named || figure.name == last->name))
            result += ",";
        else if (is_named)
            result += (last != nullptr ? "]," : "") + to_text(Json(figure.name)) + ":[";
        result += object_of(figure);
        last = &figure;
    }
    if (!is_named) return "[" + result + "]";
    return "{" + result + (last != nullptr ? "]" : "") + "}";
}

}  // namespace epe::gateway
