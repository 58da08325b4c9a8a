// Datastores: named stores of pickled Python objects, per owner. Their rows are written here for
// the current user, and read through the views of sql/30_datastores.sql.
//
// Package oml stores an object in two steps: its pieces, under an id that the caller chooses and
// that must be unique; then the object itself, and the store if it does not exist, with one
// statement for all objects of a save. So a save becomes visible atomically, also without an
// enclosing transaction.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace epe::pg {

class FunctionCall;

/// (object uuid, number int, data bytea): stores a piece, for the current user.
void write_datastore_piece(const FunctionCall& call);
/// (object uuid): deletes the pieces of an object of the current user that belongs to no store.
void discard_datastore_pieces(const FunctionCall& call);

/// (name text, objects jsonb, mode text, description text, is_grantable boolean): adds objects to a
/// store of the current user. Mode 'create': the store must not exist, else Error 42710;
/// 'overwrite': replaces an existing store; 'append': creates it if it does not exist, and objects
/// replace those of the same name. Concurrent appends are possible.
void save_datastore(const FunctionCall& call);

/// (name text, objects text[]): deletes objects of a store of the current user, or the store if
/// objects is NULL. Returns their number. Throws Error 42704 when there is no such store.
std::int64_t delete_from_datastore(const FunctionCall& call);

/// Grants read access to a store of the current user, to a role or to PUBLIC. Throws Error 42704
/// when there is no such store or role, 55000 when the store is not grantable.
void grant_datastore(std::string_view name, std::optional<std::string_view> role);
/// Revokes it from a role, or revokes every grant when there is no role. WARNING when nothing was
/// granted. Throws Error 42704 as above.
void revoke_datastore(std::string_view name, std::optional<std::string_view> role);

}  // namespace epe::pg
