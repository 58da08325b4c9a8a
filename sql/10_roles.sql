-- The role whose members are trusted.

-- Scripts of the members of pyqadmin run with the rights of the server's operating-system user.
-- The role belongs to the cluster: it may exist already, and DROP EXTENSION leaves it.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'pyqadmin') THEN
        CREATE ROLE pyqadmin NOLOGIN;
        COMMENT ON ROLE pyqadmin IS
            'oml_epe: members may store Python that runs inside the server; as good as superuser';
    ELSIF EXISTS (SELECT FROM pg_catalog.pg_auth_members
                  WHERE roleid = (SELECT oid FROM pg_catalog.pg_roles
                                  WHERE rolname = 'pyqadmin')) THEN
        RAISE WARNING 'role "pyqadmin" exists and has members'
            USING DETAIL = 'They may store Python that runs inside the server: ' ||
                (SELECT string_agg(quote_ident(r.rolname), ', ' ORDER BY r.rolname)
                 FROM pg_catalog.pg_auth_members AS m
                     JOIN pg_catalog.pg_roles AS r ON r.oid = m.member
                 WHERE m.roleid = (SELECT oid FROM pg_catalog.pg_roles
                                   WHERE rolname = 'pyqadmin')),
                HINT = 'Revoke the role from those who should not.';
    END IF;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN
        NULL; -- CREATE EXTENSION in another database was faster
END
$$;

