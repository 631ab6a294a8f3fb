/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wi-Fi stations: every one is kept associated with the network of its settings.
 *
 * States of a station: idle --(settings)--> asking --ok--> joined --lost--> waiting --> asking
 * Rules: 1. One request at a time per station; the answer or a timeout ends it.
 *        2. Pauses double from 1 s to 60 s, with jitter; joining sets them back.
 */
#include <string.h>

#include <zephyr/kernel.h>
#include <zephyr/logging/log.h>
#include <zephyr/net/dhcpv4.h>
#include <zephyr/net/net_if.h>
#include <zephyr/net/wifi_mgmt.h>

#include "compat.h"
#include "net.h"
#include "settings.h"

LOG_MODULE_DECLARE(proplet, CONFIG_PROPLET_LOG_LEVEL);

#define STATIONS_MAX  2
#define PAUSE_MS_MIN  1000
#define PAUSE_MS_MAX  60000
#define ANSWER_MS_MAX 30000

struct station {
	struct net_if *iface;
	struct k_work_delayable work;
	enum settings_key ssid_key, psk_key;
	char ssid[WIFI_SSID_MAX_LEN + 1], psk[WIFI_PSK_MAX_LEN + 1];
	uint32_t pause_ms;
	bool joined;
};

static struct station stations[STATIONS_MAX];
static uint32_t station_count;
static struct net_mgmt_event_callback events;

static struct station *station_of(const struct net_if *iface)
{
	for (uint32_t i = 0; i < station_count; i++) {
		if (stations[i].iface == iface) {
			return &stations[i];
		}
	}
	return NULL;
}

static void station_retry(struct station *station)
{
	uint32_t pause = station->pause_ms;

	station->joined = false;
	station->pause_ms = MIN(pause * 2, PAUSE_MS_MAX);
	k_work_reschedule(&station->work, K_MSEC(pause + sys_rand32_get() % (pause / 4 + 1)));
}

static void station_ask(struct k_work *work)
{
	struct station *station =
		CONTAINER_OF(k_work_delayable_from_work(work), struct station, work);
	struct wifi_connect_req_params params = {
		.ssid = (const uint8_t *)station->ssid,
		.psk = (const uint8_t *)station->psk,
		.channel = WIFI_CHANNEL_ANY,
		.band = WIFI_FREQ_BAND_2_4_GHZ,
		.mfp = WIFI_MFP_OPTIONAL,
		.timeout = ANSWER_MS_MAX / 1000,
	};

	if (station->joined) {
		return;
	}
	params.ssid_length = settings_get(station->ssid_key, station->ssid, sizeof(station->ssid));
	params.psk_length = settings_get(station->psk_key, station->psk, sizeof(station->psk));
	params.security = params.psk_length > 0 ? WIFI_SECURITY_TYPE_PSK : WIFI_SECURITY_TYPE_NONE;
	if (params.ssid_length == 0) {
		LOG_WRN("wifi: no network; proplet set %s NAME",
			settings_rows[station->ssid_key].word);
		k_work_reschedule(&station->work, K_MSEC(PAUSE_MS_MAX / 4));
		return;
	}
	LOG_INF("wifi: joining %s", station->ssid);
	int err = net_mgmt(NET_REQUEST_WIFI_CONNECT, station->iface, &params, sizeof(params));
	if (err != 0) {
		LOG_WRN("wifi: cannot ask to join %s (%d)", station->ssid, err);
		station_retry(station);
	} else {
		k_work_reschedule(&station->work, K_MSEC(ANSWER_MS_MAX + PAUSE_MS_MIN));
	}
}

static void on_wifi(struct net_mgmt_event_callback *cb, compat_net_event event,
		    struct net_if *iface)
{
	struct station *station = station_of(iface);
	const struct wifi_status *status = cb->info;

	if (station == NULL) {
		return;
	}
	if (event == NET_EVENT_WIFI_CONNECT_RESULT && (status == NULL || status->status == 0)) {
		LOG_INF("wifi: joined %s", station->ssid);
		station->joined = true;
		station->pause_ms = PAUSE_MS_MIN;
		k_work_cancel_delayable(&station->work);
		net_dhcpv4_restart(iface);
	} else {
		LOG_WRN("wifi: %s is not there or was lost", station->ssid);
		station_retry(station);
	}
}

static void station_add(struct net_if *iface, void *user)
{
	struct station *station = &stations[station_count];

	if (station_count == STATIONS_MAX || !net_if_is_wifi(iface)) {
		return;
	}
	*station = (struct station){.iface = iface, .pause_ms = PAUSE_MS_MIN};
	station->ssid_key = station_count == 0 ? SETTINGS_SSID : SETTINGS_SSID2;
	station->psk_key = station_count == 0 ? SETTINGS_PSK : SETTINGS_PSK2;
	k_work_init_delayable(&station->work, station_ask);
	station_count++;
	k_work_reschedule(&station->work, K_NO_WAIT);
}

void wifi_start(void)
{
	net_mgmt_init_event_callback(
		&events, on_wifi, NET_EVENT_WIFI_CONNECT_RESULT | NET_EVENT_WIFI_DISCONNECT_RESULT);
	net_mgmt_add_event_callback(&events);
	net_if_foreach(station_add, NULL);
}
