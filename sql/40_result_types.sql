-- Types of fixed results.

CREATE TYPE @extschema@.pyq_json AS (name text, value text);
COMMENT ON TYPE @extschema@.pyq_json IS 'Result of OUT_FMT ''JSON''; NULL::pyq_json asks for it';
COMMENT ON COLUMN @extschema@.pyq_json.name IS 'Always NULL';
COMMENT ON COLUMN @extschema@.pyq_json.value IS 'The results of all calls as one JSON text';

CREATE TYPE @extschema@.pyq_xml AS (name text, value text);
COMMENT ON TYPE @extschema@.pyq_xml IS 'Result of OUT_FMT ''XML''; NULL::pyq_xml asks for it';
COMMENT ON COLUMN @extschema@.pyq_xml.name IS 'Chunk number, group or index; NULL for a lone call';
COMMENT ON COLUMN @extschema@.pyq_xml.value IS 'The result of the call as an XML document';

CREATE TYPE @extschema@.pyq_png AS (name text, id int, value text, title text, image bytea);
COMMENT ON TYPE @extschema@.pyq_png IS 'Result of OUT_FMT ''PNG''; NULL::pyq_png asks for it';
COMMENT ON COLUMN @extschema@.pyq_png.name IS 'Chunk number, group or index; NULL for a lone call';
COMMENT ON COLUMN @extschema@.pyq_png.id IS 'Number of the image within its call, from 1';
COMMENT ON COLUMN @extschema@.pyq_png.value IS 'The result of the call as JSON text';
COMMENT ON COLUMN @extschema@.pyq_png.title IS 'Title of the figure; NULL when it has none';
COMMENT ON COLUMN @extschema@.pyq_png.image IS 'The PNG file';

