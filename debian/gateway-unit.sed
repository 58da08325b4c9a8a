# From gateway/systemd/oml_epe_gateway.service, for copies by hand, to the unit of the package.
1,/^\[Unit\]/{/^#/d}
s|^After=.*|Documentation=man:oml_epe_gateway(8)\n&|
s|^Environment="GATEWAY_OPTIONS=.*|EnvironmentFile=/etc/default/oml_epe_gateway|
/^Environment="GATEWAY_DB=/d
s|^ExecStart=[^ ]*|ExecStart=/usr/bin/oml_epe_gateway|
s|^DynamicUser=yes|User=_oml-epe-gateway|
s|^# dynamic user:|# user _oml-epe-gateway:|
