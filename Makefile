# 呼应的命令；单独的 `make` 列出它们 / the commands of 呼应; `make` alone lists them.
PY := .venv/bin/python
PYTHON ?= python3
LOCAL := $(PY) -m deploy.local
T ?= tests
# Tests wait more than they work: two at once, each worker with a platform of its own (0: one after the other).
WORKERS ?= 2
AT_ONCE := -n $(WORKERS) --dist loadfile --no-loadscope-reorder
.DEFAULT_GOAL := help
.PHONY: help up down status logs restart reset demo story year city verify proof parked replay drop district import clock operator screenshots test test-all bench bench-compare profile chaos bare lint format lock venv venv-test

help: ## 列出命令 / list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

venv:
	@command -v $(PYTHON) >/dev/null || { echo "缺少 Python / Python is missing:  apt-get install -y python3 python3-venv"; exit 1; }
	@$(PYTHON) -m deploy.local prepare

venv-test:
	@command -v $(PYTHON) >/dev/null || { echo "缺少 Python / Python is missing:  apt-get install -y python3 python3-venv"; exit 1; }
	@$(PYTHON) -m deploy.local prepare test

up: venv ## 启动平台 / start the platform (PORT=8000, AMQP_URI=, MONGO_URI=)
	@$(LOCAL) up

down: venv ## 停止 / stop what `make up` started
	@$(LOCAL) down

status: venv ## 进程、内存、队列 / processes, memory, queues
	@$(LOCAL) status

logs: venv ## 日志 / logs (s=whistle)
	@$(LOCAL) logs $(s)

restart: venv ## 重启 / restart one or all (s=whistle)
	@$(LOCAL) restart $(s)

reset: venv ## 停止并清空数据 / stop and remove all data (asks; yes=1)
	@$(LOCAL) reset $(if $(yes),yes)

demo: venv ## 演示一次吹哨报到 / play the main job and print its trace
	@$(LOCAL) tool deploy.demo

story: venv ## 演示万明园的三件事 / play the article: a balcony, tins, a lamp
	@$(LOCAL) tool deploy.story

year: venv ## 演示试点一年 / play a pilot year on a throw-away platform (street=110102009 scale=1)
	@$(LOCAL) tool deploy.year $(if $(street),--street=$(street)) $(if $(scale),--scale=$(scale)) $(if $(run),--run=$(run))

city: venv ## 北京的一天,自带平台 / a day of Beijing on a platform of its own (seed= date= scale= speed= districts=)
	@$(PY) -m deploy.city $(if $(seed),--seed=$(seed)) $(if $(date),--date=$(date)) $(if $(scale),--scale=$(scale)) $(if $(speed),--speed=$(speed)) $(if $(districts),--districts=$(districts)) $(if $(hours),--hours=$(hours))

verify: venv ## 核验全部历史 / prove that no history was touched
	@$(LOCAL) tool deploy.verify

proof: ## 核验导出的一件哨 / check an exported whistle, offline (f=FILE seal=HASH)
	@$(PYTHON) huying_verify.py "$(f)" $(if $(seal),--seal=$(seal))

parked: venv ## 搁置的消息 / show what could not be handled
	@$(LOCAL) tool deploy.parked list

replay: venv ## 重放搁置的消息 / handle it again (s=whistle, id=)
	@$(LOCAL) tool deploy.parked replay $(s) $(id)

drop: venv ## 丢弃搁置的消息 / drop it, with a reason (s=, id=, because=)
	@$(LOCAL) tool deploy.parked drop $(s) $(id) $(if $(value because),'--because=$(subst ','\'',$(value because))')

district: venv ## 开通一个区，或全部 / open a district (code=110105), or all sixteen (code=all)
	@$(LOCAL) tool deploy.district $(code)

import: venv ## 导入表格 / bring a table in (file= kind=people|places|seats|rules run=1 login=xc-admin)
	@$(LOCAL) tool deploy.tables "$(file)" $(kind) $(if $(login),--login=$(login)) $(if $(run),--run)

clock: venv ## 演示时钟 / read or move the demo clock (forward=86400 speed=60)
	@$(LOCAL) tool deploy.clock $(if $(forward),--forward=$(forward)) $(if $(speed),--speed=$(speed))

operator: venv ## 设立第一位管理员 / make the first operator (login= name=)
	@$(LOCAL) tool deploy.operator $(login) $(name)

screenshots: venv-test ## 每一页的截图 / every page as a picture, of what `make up` runs (in var/screenshots)
	@$(LOCAL) tool tests.browser.screenshots

test: venv-test ## 测试，十分钟内 / lint and tests, under ten minutes (T=tests/unit)
	@$(PY) -m ruff check . && $(PY) -m ruff format --check .
	@$(PY) -m pytest $(T) -m "not long" $(AT_ONCE)

test-all: venv-test ## 全部测试，一小时内 / the long ones too, under an hour (T=)
	@$(PY) -m ruff check . && $(PY) -m ruff format --check .
	@$(PY) -m pytest $(T)

bench: venv-test ## 性能测量，约半小时 / measure beside the floor, half an hour (quick=1 only=floor,acts,stored,streams,answering)
	@$(PY) -m tests.bench $(if $(quick),--quick) $(if $(only),--only=$(only))

bench-compare: venv-test ## 两次测量对照 / two runs side by side (A=var/bench/….json B=…)
	@$(PY) -m tests.bench.compare "$(A)" "$(B)"

profile: venv-test ## 发哨耗时在哪里 / where a blow's time goes (seconds=20 kind=blow native=1)
	@$(PY) -m tests.bench.profile $(if $(seconds),--seconds=$(seconds)) $(if $(kind),--kind=$(kind)) $(if $(native),--native)

chaos: venv-test ## 混沌测试，约一小时 / break everything and recount, about an hour (quick=1 only="database")
	@$(PY) -m tests.chaos $(if $(quick),--quick) $(if $(only),--only="$(only)")

bare: ## 在最小系统中验证两条命令 / prove both commands in a bare root (root only)
	@bash deploy/bare.sh

lint: venv-test ## 检查风格 / ruff
	@$(PY) -m ruff check . && $(PY) -m ruff format --check .

format: venv-test ## 整理风格 / let ruff write
	@$(PY) -m ruff check --fix . && $(PY) -m ruff format .

lock: venv ## 重新锁定依赖 / write requirements*.txt anew, with hashes
	@bash deploy/lock.sh
