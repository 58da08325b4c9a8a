// Datastores: named stores of pickled Python objects, per owner. Their rows are written here for
// the current user; they are read through the views of sql/oml_epe.sql.
//
// An object is stored in three steps, by package oml: its pieces, under an id of the caller's
// choice that nobody else has; then the object itself, and the store where there is none, with one
// statement for all objects of a save. So a save is seen whole or not at all, also by whoever has
// no transaction around it.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace epe::pg {

class FunctionCall;

/// (object uuid, number int, data bytea): stores a piece, for the current user.
void write_datastore_piece(const FunctionCall& call);
/// (object uuid): deletes the pieces of an object of the current user that no store has.
void discard_datastore_pieces(const FunctionCall& call);

/// (name text, objects jsonb, mode text, description text, is_grantable boolean): adds objects to
/// a store of the current user's. Mode 'create': the store must not exist, else Error 42710;
/// 'overwrite': it replaces one that does; 'append': it is made when it does not exist, and objects
/// replace those of the same name. Several sessions may append at once.
void save_datastore(const FunctionCall& call);

/// (name text, objects text[]): deletes objects of a store of the current user's, or the store
/// where objects is NULL. Returns how many. Throws Error 42704 when there is no such store.
std::int64_t delete_from_datastore(const FunctionCall& call);

/// Lets a role, or everybody, read a store of the current user's. Throws Error 42704 when there is
/// no such store or role, 55000 when the store is not grantable.
void grant_datastore(std::string_view name, std::optional<std::string_view> role);
/// Takes it back from a role, or every grant when there is no role. WARNING when nothing was
/// granted. Throws Error 42704 as above.
void revoke_datastore(std::string_view name, std::optional<std::string_view> role);

}  // namespace epe::pg
