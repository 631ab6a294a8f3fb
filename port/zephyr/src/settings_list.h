/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The settings, one row each: S(name, word, id, bytes_max, secret, default, help).
 * word is what the shell calls it, id its place in the settings partition (never reused),
 * bytes_max its longest text without the 0; secret ones are never shown.
 */
S(ID, "id", 1, 63, false, CONFIG_PROPLET_DEFAULT_ID, "worker id, a UUID; MQTT client id")
S(KEY, "key", 2, 255, true, "", "MQTT password")
S(TENANT, "tenant", 3, 63, false, CONFIG_PROPLET_DEFAULT_TENANT, "tenant id")
S(CHANNEL, "channel", 4, 63, false, CONFIG_PROPLET_DEFAULT_CHANNEL, "channel id")
S(BROKER, "broker", 5, 127, false, CONFIG_PROPLET_DEFAULT_BROKER, "MQTT broker, name or address")
S(PORT, "port", 6, 5, false, STRINGIFY(CONFIG_PROPLET_DEFAULT_PORT), "MQTT port")
S(KEEP_ALIVE, "keep_alive_s", 22, 5, false, STRINGIFY(CONFIG_MQTT_KEEPALIVE),
  "silence after which the broker is asked")
S(SSID, "wifi.ssid", 7, 32, false, "", "Wi-Fi network")
S(PSK, "wifi.psk", 8, 64, true, "", "Wi-Fi password; empty for an open network")
S(SSID2, "wifi2.ssid", 9, 32, false, "", "network of a second Wi-Fi interface")
S(PSK2, "wifi2.psk", 10, 64, true, "", "its password")
S(HEARTBEAT, "heartbeat_ms", 11, 8, false, STRINGIFY(CONFIG_PROPLET_HEARTBEAT_MS),
  "between two signs of life")
S(DESCRIPTION, "description", 12, 63, false, "", "text for people")
S(LOCATION, "location", 13, 63, false, "", "text for people")
S(TAGS, "tags", 14, 95, false, "", "words, comma between")
S(LABELS, "labels", 15, 127, false, "", "key=value pairs, comma between, for placement")
S(POWER, "power", 16, 7, false, "mains", "mains or battery")
S(TRUST, "trust", 21, 129, false, "", "public keys whose native images run, comma between")
S(TLS, "tls", 17, 1, false, "1", "1: use TLS if the image has it; 0: do not")
S(TLS_CA, "tls.ca", 18, 2047, false, "", "CA certificate, base64 of DER")
S(TLS_CERT, "tls.cert", 19, 2047, false, "", "own certificate, base64 of DER")
S(TLS_KEY, "tls.key", 20, 2047, true, "", "own private key, base64 of DER")
